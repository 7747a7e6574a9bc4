"""The Georgetown University Multilayer corpus (GUM)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pandas as pd

from claimkind.dataset.sources.base import CorpusFile, fetch
from claimkind.dataset.sources.conllu import labelled_rows, read_sentences, treebank_row
from claimkind.errors import ClaimkindError


@dataclass(frozen=True)
class Gum:
    """GUM in CoNLL-U. It has no labels like ours, so only sentences with a stand-off label are used."""

    files: dict[str, str]
    """See `fetch`, also for `folder` and `url`."""
    folder: str
    url: str
    licences: dict[str, str]
    """Licence of the texts of each genre."""
    citation: str
    labels: str
    """File of stand-off labels; see `label_corpus`."""
    provenance: str = ""
    """See `Source.provenance`."""

    evidence: ClassVar[None] = None

    def read(self, name: str) -> pd.DataFrame:
        """Read the labelled sentences; see `Source.read`. A group is a document.

        Raises:
            ClaimkindError: a file is not a document of GUM in CoNLL-U.
        """
        rows = [row for file in fetch(self.files, self.folder, self.url) for row in self._rows(file, name)]
        return labelled_rows(rows, self.labels)

    def _rows(self, file: CorpusFile, name: str) -> Iterator[dict[str, str]]:
        sentences = read_sentences(file.path)
        genre = file.part.split("_")[1] if file.part.count("_") > 1 else ""
        if not sentences or genre not in self.licences:
            raise ClaimkindError(
                f"{file.path} holds no sentences of GUM, or its genre {genre!r} has no licence: check it"
            )
        for sentence in sentences:
            yield treebank_row(name, file.part, sentence, genre, self.licences[genre])
