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

Spans = dict[tuple[int, int], Annotation]
"""The labels of one document by start and end, in their order."""

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
        labels = _by_document(read_document_labels(Path(self.labels)))
        rows: list[dict[str, Any]] = []
        for path in tqdm(paths, desc=name, unit=" documents"):
            rows += _rows(path, labels.pop(path.stem, {}))
        for document, spans in labels.items():
            for (start, end), annotation in spans.items():
                raise _orphan(annotation, f"{document}[{start}:{end}]", f"no sentence of {self.documents}")
        return pd.DataFrame(rows)


def _by_document(annotations: dict[tuple[str, int, int], Annotation]) -> dict[str, Spans]:
    labels: dict[str, Spans] = {}
    for (document, start, end), annotation in sorted(annotations.items()):
        labels.setdefault(document, {})[start, end] = annotation
    return labels


def _orphan(annotation: Annotation, span: str, problem: str) -> ClaimkindError:
    return ClaimkindError(
        f"{annotation.place}: the label points at {span}, which is {problem}: remove the label, or correct its span if "
        "the document was edited"
    )


def _rows(path: Path, labels: Spans) -> Iterator[dict[str, Any]]:
    """Rows of one document. The labels say where its sentences are, so that a change of the splitter changes no label.

    Raises:
        ClaimkindError: as `SeedDocuments.read`.
    """
    document = read_document(path)
    missing = [key for key in _REQUIRED if key not in document.front_matter]
    if missing:
        raise ClaimkindError(f"{path}:1: the front matter has no `{missing[0]}`, expected {', '.join(_REQUIRED)}")
    labelled = 0
    for (start, end), annotation in labels.items():
        text = document.text[start:end]
        if start < labelled or not text or text != text.strip() or len(text) < end - start:
            raise _orphan(annotation, f"{document.name}[{start}:{end}]", f"no sentence of {path}")
        _check_unlabelled(document, path, labelled, start)
        _check_sha(annotation, text, f"{path}:{_line(document, start)}")
        yield _row(document, Sentence(start, end, text), annotation)
        labelled = end
    _check_unlabelled(document, path, labelled, len(document.text))


def _line(document: Document, start: int) -> int:
    return document.first_line + document.text.count("\n", 0, start)


def _check_unlabelled(document: Document, path: Path, start: int, end: int) -> None:
    """Check that nothing but blanks lies between two labelled sentences."""
    for sentence in split_sentences(document.text[start:end]):
        place = start + sentence.start
        raise ClaimkindError(
            f"{path}:{_line(document, place)}: the sentence at {place}-{start + sentence.end} ({sentence.text[:40]!r}) "
            "has no label, expected one for each sentence: label it as seeds/README.md describes"
        )


def _check_sha(annotation: Annotation, text: str, place: str) -> None:
    if annotation.sha != text_sha(text):
        raise ClaimkindError(
            f"{annotation.place}: the sentence at {place} was edited after it was labelled, its sha differs: label it "
            "again"
        )


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
