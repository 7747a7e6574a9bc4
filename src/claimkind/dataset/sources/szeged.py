"""The Szeged uncertainty corpus."""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd

from claimkind.dataset.sources.base import fetch, label_corpus
from claimkind.errors import ClaimkindError


class SzegedWikipedia:
    """Szeged uncertainty corpus, Wikipedia part: a sentence with a cue is *uncertain*, any other *certain*."""

    def __init__(
        self, files: dict[str, str], folder: str, url: str, licence: str, citation: str, labels: str | None = None
    ) -> None:
        """Settings; see `fetch` and `label_corpus` for the files, the folder, the address and the labels."""
        self.files, self.folder, self.url, self.labels = files, folder, url, labels
        self.licence, self.citation = licence, citation
        self.evidence: dict[str, list[str]] = {}

    def read(self, name: str) -> pd.DataFrame:
        """Read all sentences but titles; a group is an article, whatever part of it a document holds.

        Raises:
            ClaimkindError: the file is not the XML that the corpus was published in.
        """
        rows = [row for file in fetch(self.files, self.folder, self.url) for row in _szeged_rows(file.path, name)]
        return label_corpus(pd.DataFrame(rows).assign(licence=self.licence, genre="encyclopaedia"), self.labels)


def _szeged_rows(path: Path, name: str) -> Iterator[dict[str, str]]:
    try:
        documents = ElementTree.parse(path).iter("Document")  # noqa: S314 - the digest was checked
    except ElementTree.ParseError as error:
        raise ClaimkindError(f"{path} is no XML ({error}), expected the Szeged uncertainty corpus: check it") from None
    for document in documents:
        title = document.findtext("DocID", "")
        for part in document.iter("DocumentPart"):
            # A title is no sentence; the corpus marks its part so.
            for sentence in part.iter("Sentence") if part.get("type") != "Title" else ():
                yield {
                    "id": f"{name}:{title}#{sentence.get('id')}",
                    "text": re.sub(r"\s+", " ", "".join(sentence.itertext())).strip(),
                    "source_label": "certain" if sentence.find(".//ccue") is None else "uncertain",
                    "document": title,
                    "group": f"{name}:{re.sub(r'_[0-9]+$', '', title)}",
                }
