"""The source that joins the seed documents with their stand-off labels."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from claimkind.dataset.annotations import Annotation, read_document_labels
from claimkind.dataset.rows import text_sha
from claimkind.errors import ClaimkindError
from claimkind.text.front_matter import Document, read_document
from claimkind.text.sentences import Sentence, split_sentences

_REQUIRED = ("title", "genre", "origin", "licence")


class SeedDocuments:
    """The documents in a folder, each sentence labelled by a file of stand-off labels. A document is a group."""

    def __init__(self, documents: str, labels: str) -> None:
        self.citation = ""
        self.evidence: dict[str, list[str]] = {}
        self.documents = Path(documents)
        self.labels = Path(labels)

    def read(self, name: str) -> pd.DataFrame:
        """Read every document, one row a sentence; see `Source.read`.

        Raises:
            ClaimkindError: the folder holds no document, a document lacks front matter, a sentence has no label,
                or a label has no sentence.
        """
        paths = sorted(self.documents.glob("*.md"))
        if not paths:
            raise ClaimkindError(
                f"{self.documents} holds no *.md file, expected the seed documents: check paths.seeds_dir"
            )
        annotations = read_document_labels(self.labels)
        rows = [row for path in tqdm(paths, desc=name, unit=" documents") for row in self._rows(path, annotations)]
        for (document, start, end), annotation in annotations.items():
            raise ClaimkindError(
                f"{annotation.place}: the label points at {document}[{start}:{end}], which is no sentence of "
                f"{self.documents}: remove the label, or correct its span if the document was edited"
            )
        return pd.DataFrame(rows)

    def _rows(self, path: Path, annotations: dict[tuple[str, int, int], Annotation]) -> Iterator[dict[str, Any]]:
        """Rows of one document; takes what it uses out of `annotations`, so that the rest are orphans."""
        document = read_document(path)
        missing = [key for key in _REQUIRED if key not in document.front_matter]
        if missing:
            raise ClaimkindError(f"{path}:1: the front matter has no `{missing[0]}`, expected {', '.join(_REQUIRED)}")
        for sentence in split_sentences(document.text):
            annotation = annotations.pop((document.name, sentence.start, sentence.end), None)
            yield _row(document, sentence, _checked(annotation, sentence, document, path))


def _checked(annotation: Annotation | None, sentence: Sentence, document: Document, path: Path) -> Annotation:
    line = document.first_line + document.text.count("\n", 0, sentence.start)
    if annotation is None:
        raise ClaimkindError(
            f"{path}:{line}: the sentence at {sentence.start}-{sentence.end} ({sentence.text[:40]!r}) has no label, "
            "expected one for each sentence: label it, as seeds/README.md tells"
        )
    if annotation.sha != text_sha(sentence.text):
        raise ClaimkindError(
            f"{annotation.place}: the label was made for other words than those that stand at {path}:{line} now, "
            "expected the same sha: label the sentence anew"
        )
    return annotation


def _row(document: Document, sentence: Sentence, annotation: Annotation) -> dict[str, Any]:
    return {
        "id": f"{document.name}:{sentence.start}-{sentence.end}",
        "text": sentence.text,
        "label": annotation.label,
        "votes": annotation.votes,
        "rule": annotation.rule,
        "genre": document.front_matter["genre"],
        "document": document.name,
        "group": document.name,
        "licence": document.front_matter["licence"],
        "start": sentence.start,
        "end": sentence.end,
    }
