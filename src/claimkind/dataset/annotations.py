"""Stand-off labels: JSON lines that point at sentences instead of holding them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS


class Annotation(NamedTuple):
    """What the passes said of one sentence, and where that stands."""

    label: str
    votes: list[str]
    rule: str | None
    sha: str
    place: str
    """`file:line`, for error texts."""


def read_jsonl(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read a JSON-lines file as pairs of place (`file:line`) and object.

    Raises:
        ClaimkindError: the file is missing, or a line is no JSON object.
    """
    if not path.is_file():
        raise ClaimkindError(f"{path} does not exist, expected a file of labels, one JSON object a line")
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            place = f"{path}:{number}"
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            if not isinstance(row, dict):
                raise ClaimkindError(f"{place}: found {line.strip()[:60]!r}, expected one JSON object a line")
            yield place, row


def read_document_labels(path: Path) -> dict[tuple[str, int, int], Annotation]:
    """Labels of the sentences of documents, by document name and character span.

    Raises:
        ClaimkindError: a line lacks a field, its label is unknown, or its span stands twice.
    """
    annotations: dict[tuple[str, int, int], Annotation] = {}
    for place, row in read_jsonl(path):
        annotation = to_annotation(place, row, "document", "start", "end")
        span = (str(row["document"]), int(row["start"]), int(row["end"]))
        if span in annotations:
            raise ClaimkindError(
                f"{place}: the span is labelled before, at {annotations[span].place}: keep one of them"
            )
        annotations[span] = annotation
    return annotations


def to_annotation(place: str, row: dict[str, Any], *required: str) -> Annotation:
    """Check one row of a label file.

    Raises:
        ClaimkindError: a required field is missing or a label is unknown.
    """
    missing = [field for field in (*required, "label", "sha") if field not in row]
    if missing:
        raise ClaimkindError(f"{place}: the label has no `{missing[0]}`, expected the fields of seeds/README.md")
    votes = row.get("votes", [row["label"]])
    for label in (row["label"], *votes):
        if label not in LABELS:
            raise ClaimkindError(f"{place}: found the label {label!r}, expected one of {', '.join(LABELS)}")
    return Annotation(row["label"], votes, row.get("rule"), row["sha"], place)
