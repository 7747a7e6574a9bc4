"""The Szeged uncertainty corpus."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

import pandas as pd

from claimkind.dataset.sources.base import fetch, label_corpus
from claimkind.errors import ClaimkindError


@dataclass(frozen=True)
class SzegedWikipedia:
    """The corpus' Wikipedia part: a sentence with an uncertainty cue is *uncertain*, any other *certain*."""

    files: dict[str, str]
    """See `fetch`, also for `folder` and `url`."""
    folder: str
    url: str
    licence: str
    citation: str
    labels: str | None = None
    """File of stand-off labels; see `label_corpus`."""
    provenance: str = ""
    """See `Source.provenance`."""

    evidence: ClassVar[None] = None

    def read(self, name: str) -> pd.DataFrame:
        """Read all sentences except titles; see `Source.read`. A group is an article, which may be several documents.

        Raises:
            ClaimkindError: the file is not XML.
        """
        rows = [row for file in fetch(self.files, self.folder, self.url) for row in _rows(file.path, name)]
        return label_corpus(pd.DataFrame(rows).assign(licence=self.licence, genre="encyclopaedia"), self.labels)


def _rows(path: Path, name: str) -> Iterator[dict[str, str]]:
    try:
        documents = ElementTree.parse(path).iter("Document")  # noqa: S314 - the digest was checked
    except ElementTree.ParseError as error:
        raise ClaimkindError(f"{path} is no XML ({error}), expected the Szeged uncertainty corpus: check it") from None
    for document in documents:
        title = document.findtext("DocID", "")
        parts = [part for part in document.iter("DocumentPart") if part.get("type") != "Title"]
        for sentence in (sentence for part in parts for sentence in part.iter("Sentence")):
            yield {
                "id": f"{name}:{title}#{sentence.get('id')}",
                "text": re.sub(r"\s+", " ", "".join(sentence.itertext())).strip(),
                "source_label": "certain" if sentence.find(".//ccue") is None else "uncertain",
                "document": title,
                "group": f"{name}:{re.sub(r'_[0-9]+$', '', title)}",
            }
