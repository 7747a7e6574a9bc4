"""Documents with stand-off labels, as in `seeds/documents/` and `seeds/labels/documents.jsonl`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
from tqdm import tqdm

from claimkind.dataset.annotations import Annotation, read_document_labels
from claimkind.dataset.rows import text_sha
from claimkind.errors import ClaimkindError
from claimkind.text.front_matter import Document, read_document
from claimkind.text.sentences import Sentence, split_sentences

_REQUIRED = ("title", "genre", "origin", "licence")


@dataclass(frozen=True)
class SeedDocuments:
    """Markdown documents in a folder, with a label for every sentence in one file."""

    documents: str
    """The folder. Each document states its genre and licence in its front matter."""
    labels: str
    """JSON-lines file of labels by document and character span."""
    provenance: str = ""
    """See `Source.provenance`."""

    citation: ClassVar[str] = ""
    evidence: ClassVar[None] = None

    def read(self, name: str) -> pd.DataFrame:
        """Read every sentence of every document; see `Source.read`. A group is a document.

        Raises:
            ClaimkindError: the folder holds no document, a document lacks front matter, a sentence has no label,
                or a label has no sentence.
        """
        paths = sorted(Path(self.documents).glob("*.md"))
        if not paths:
            raise ClaimkindError(
                f"{self.documents} holds no *.md file, expected the seed documents: check paths.seeds_dir"
            )
        annotations = read_document_labels(Path(self.labels))
        rows = [row for path in tqdm(paths, desc=name, unit=" documents") for row in _rows(path, annotations)]
        for (document, start, end), annotation in annotations.items():
            raise ClaimkindError(
                f"{annotation.place}: the label points at {document}[{start}:{end}], which is no sentence of "
                f"{self.documents}: remove the label, or correct its span if the document was edited"
            )
        return pd.DataFrame(rows)


def _rows(path: Path, annotations: dict[tuple[str, int, int], Annotation]) -> Iterator[dict[str, Any]]:
    """Rows of one document; removes the labels it uses from `annotations`, so that those without a sentence remain."""
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
            "expected one for each sentence: label it as seeds/README.md describes"
        )
    if annotation.sha != text_sha(sentence.text):
        raise ClaimkindError(
            f"{annotation.place}: the sentence at {path}:{line} was edited after it was labelled, its sha differs: "
            "label it again"
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
