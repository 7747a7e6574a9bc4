"""The Georgetown University Multilayer corpus."""

import re
from collections.abc import Iterator

import pandas as pd

from claimkind.dataset.sources.base import CorpusFile, fetch, label_corpus
from claimkind.errors import ClaimkindError


class Gum:
    """Georgetown University Multilayer corpus. It says nothing of our classes: only what we labelled comes in."""

    def __init__(
        self, files: dict[str, str], folder: str, url: str, licences: dict[str, str], citation: str, labels: str
    ) -> None:
        """Settings; `licences` names that of each genre. See `fetch` and `label_corpus` for the rest."""
        self.files, self.folder, self.url, self.labels = files, folder, url, labels
        self.licences, self.citation = licences, citation
        self.evidence: dict[str, list[str]] = {}

    def read(self, name: str) -> pd.DataFrame:
        """Read the labelled sentences; a group is a document.

        Raises:
            ClaimkindError: a file is not the CoNLL-U that the corpus was published in.
        """
        rows = [row for file in fetch(self.files, self.folder, self.url) for row in self._rows(file, name)]
        labelled = label_corpus(pd.DataFrame(rows), self.labels)
        return labelled[labelled["label"].notna()].reset_index(drop=True)

    def _rows(self, file: CorpusFile, name: str) -> Iterator[dict[str, str]]:
        comments = re.findall(r"^# (sent_id|text) = (.*)$", file.path.read_text(encoding="utf-8"), re.MULTILINE)
        genre = file.part.split("_")[1] if file.part.count("_") > 1 else ""
        if not comments or genre not in self.licences:
            raise ClaimkindError(
                f"{file.path} holds no sentences of GUM, or its genre {genre!r} has no licence: check it"
            )
        for (_, key), (_, text) in zip(comments[::2], comments[1::2], strict=True):
            yield {
                "id": f"{name}:{key}",
                "text": text,
                "document": file.part,
                "group": f"{name}:{file.part}",
                "genre": genre,
                "licence": self.licences[genre],
            }
