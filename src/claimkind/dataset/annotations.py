"""Stand-off labels: JSON lines that point at sentences instead of holding them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS

# The rules of seeds/GUIDE.md by their codes in seeds/README.md, each with the labels that it can lead to.
_FACTUAL, _SPECULATIVE, _OPINION = ((label,) for label in LABELS)
RULES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("1a-fact", "1a-opinion"), _FACTUAL),
    **dict.fromkeys(("1b-hedge", "1b-claim", "1b-pledge", "1c-claim"), _SPECULATIVE),
    **dict.fromkeys(("1c-value", "1d"), _OPINION),
    "1e": LABELS,
    **dict.fromkeys(("2-evaluation", "2-advice", "2-stance", "2-rhetorical", "2-conclusion"), _OPINION),
    **dict.fromkeys(("3-modal", "3-belief", "3-forecast", "3-plan", "3-condition", "3-alleged"), _SPECULATIVE),
    **dict.fromkeys(("3-question", "3-unknown"), _SPECULATIVE),
    **dict.fromkeys(("2n-duty", "3n-calendar", "3n-ability", "3n-habit", "3n-approximation", "3n-finding"), _FACTUAL),
    **dict.fromkeys(("4-event", "4-definition", "4-experience", "4-stage"), _FACTUAL),
    "m-equal": (*_SPECULATIVE, *_OPINION),
    "m-side": LABELS,
}


class Annotation(NamedTuple):
    """The label of one sentence."""

    label: str
    votes: list[str]
    """The label that each annotator gave, in order; the last decided where the first two differ."""
    rule: str | None
    """The rule of `seeds/GUIDE.md` that decided, as a key of `RULES`."""
    sha: str
    """`rows.text_sha` of the sentence when it was labelled."""
    place: str
    """`file:line`, for error texts."""


def read_jsonl(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read a JSON-lines file as pairs of a place, `file:line`, and an object.

    Raises:
        ClaimkindError: the file is missing, or a line is not a JSON object.
    """
    if not path.is_file():
        raise ClaimkindError(f"{path} does not exist, expected a file of labels, one JSON object a line")
    with path.open("rb") as lines:  # as bytes, so that a line in another encoding is reported with its place
        for number, line in enumerate(lines, start=1):
            place = f"{path}:{number}"
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            if not isinstance(row, dict):
                found = line.decode("utf-8", "replace").strip()[:60]
                raise ClaimkindError(f"{place}: found {found!r}, expected one JSON object a line in UTF-8")
            yield place, row


def read_document_labels(path: Path) -> dict[tuple[str, int, int], Annotation]:
    """Read the labels of sentences of documents, by name of the document, start and end.

    Raises:
        ClaimkindError: a line lacks a field, its label is unknown, its offsets are no numbers, or two lines have the
            same span.
    """
    annotations: dict[tuple[str, int, int], Annotation] = {}
    for place, row in read_jsonl(path):
        annotation = to_annotation(place, row, "document", "start", "end")
        span = (str(row["document"]), *_offsets(place, row))
        if span in annotations:
            raise ClaimkindError(
                f"{place}: the span already has a label at {annotations[span].place}: keep one of them"
            )
        annotations[span] = annotation
    return annotations


def _offsets(place: str, row: dict[str, Any]) -> tuple[int, int]:
    try:
        return int(row["start"]), int(row["end"])
    except (TypeError, ValueError):
        raise ClaimkindError(
            f"{place}: the label is at {row['start']!r} to {row['end']!r}, expected two offsets in characters"
        ) from None


def to_annotation(place: str, row: dict[str, Any], *required: str) -> Annotation:
    """Check one row of a label file.

    Raises:
        ClaimkindError: a required field is missing, a label is unknown, or the rule does not lead to the label.
    """
    missing = [field for field in (*required, "label", "sha") if field not in row]
    if missing:
        raise ClaimkindError(f"{place}: the label has no `{missing[0]}`, expected the fields of seeds/README.md")
    votes = row.get("votes", [row["label"]])
    for label in (row["label"], *votes):
        if label not in LABELS:
            raise ClaimkindError(f"{place}: found the label {label!r}, expected one of {', '.join(LABELS)}")
    rule = row.get("rule")
    if rule is not None and row["label"] not in RULES.get(rule, ()):
        raise ClaimkindError(
            f"{place}: the rule {rule!r} does not lead to {row['label']}, expected a rule of seeds/README.md that does"
        )
    return Annotation(row["label"], votes, rule, row["sha"], place)
