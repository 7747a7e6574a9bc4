"""Corrections of labels: CSV files with better labels for some sentences; see `scripts/audit_labels.py`."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS

_COLUMNS = {"id", "sha", "corrected"}


def apply_corrections(rows: pd.DataFrame, corrections: Sequence[str]) -> int:
    """Replace labels of `rows`, in place, by those in the column `corrected` of CSV files.

    Args:
        rows: `id`, `sha`, `source`, `label` and `rule`.
        corrections: CSV files with the columns `id`, `sha` and `corrected`; an empty `corrected` changes nothing. A
            row whose column `source` names a source that is not among `rows` is skipped, so that one file serves
            several datasets.

    Returns:
        The number of labels that were replaced.

    Raises:
        ClaimkindError: a file cannot be read or lacks a column, a label is unknown, or no row has that id and sha.
    """
    positions = {key: index for index, key in zip(rows.index, zip(rows["id"], rows["sha"], strict=True), strict=True)}
    sources = set(rows["source"])
    corrected = [entry for path in map(Path, corrections) for entry in _read_labels(path, positions, sources)]
    for index, label in corrected:
        rows.loc[index, ["label", "rule"]] = [label, None]
    return len(corrected)


def _read_labels(path: Path, positions: dict[tuple[str, str], int], sources: set[str]) -> Iterator[tuple[int, str]]:
    """Index of each row that a file corrects, with its new label."""
    for line, entry in enumerate(_read_csv(path), start=2):
        label, key = entry["corrected"].strip(), (entry["id"], entry["sha"])
        if label not in ("", *LABELS):
            raise ClaimkindError(f"{path}:{line}: found the label {label!r}, expected one of {', '.join(LABELS)}")
        if entry.get("source") and entry["source"] not in sources:
            continue
        if label and key not in positions:
            raise ClaimkindError(f"{path}:{line}: no sentence has the id {entry['id']!r} and that sha: remove the row")
        if label:
            yield positions[key], label


def _read_csv(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            entries = list(csv.DictReader(stream, restval=""))  # some programs leave out empty cells at the end
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ClaimkindError(f"dataset.corrections names {path}, which cannot be read ({error}): check it") from None
    if entries and not set(entries[0]) >= _COLUMNS:
        raise ClaimkindError(f"{path}:1: found the columns {', '.join(entries[0])}, expected id, sha and corrected")
    return entries
