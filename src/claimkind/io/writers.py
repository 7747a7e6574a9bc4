"""Writing scored rows in the format of the file's ending: part by part, then as one file."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from claimkind.errors import ClaimkindError
from claimkind.io import formulas
from claimkind.io.base import Output
from claimkind.io.formats import OUTPUTS
from claimkind.labels import PROBABILITY_COLUMNS
from claimkind.manifest import atomic_write

_FOR_SPREADSHEETS = (".csv",)
_PAGES = (".html", ".htm")
_LONGEST_NAME = 200  # bytes; file systems allow 255, and the names of parts and drafts are longer
# Formats without types give all cells as text.
_NUMBERS: dict[str, Any] = {"confidence": float, **dict.fromkeys(PROBABILITY_COLUMNS, float), "windows": "Int64"}


def check_output(path: Path) -> None:
    """Refuse an output that could not be written, before any work is done.

    Raises:
        ClaimkindError: its ending is unknown, its name too long, or it is a folder.
    """
    if path.suffix.lower() not in OUTPUTS:
        raise ClaimkindError(f"output={path} has an unknown ending, expected one of {', '.join(OUTPUTS)}: rename it")
    length = len(os.fsencode(path.name))
    if length > _LONGEST_NAME:
        raise ClaimkindError(
            f"output={path} has a name of {length} bytes, expected {_LONGEST_NAME} at most: shorten it"
        )
    _refuse_folder("output", path)


def prepare_report(path: Path) -> None:
    """Make the folder of a report, and refuse a report that could not be written, before any work is done.

    Raises:
        ClaimkindError: its ending is none of HTML, it is a folder, or its folder cannot be made or written to.
    """
    make_folder(path.parent, f"report={path}")
    _refuse_folder("report", path)
    if path.suffix.lower() not in _PAGES:
        raise ClaimkindError(f"report={path} is written as HTML, expected the ending {' or '.join(_PAGES)}: rename it")
    if not os.access(path.parent, os.W_OK):
        raise ClaimkindError(
            f"report={path} cannot be written (no permission), expected a writable folder: choose another"
        )


def _refuse_folder(setting: str, path: Path) -> None:
    if path.is_dir():
        raise ClaimkindError(f"{setting}={path} is a folder, expected a file: choose another name")


def make_folder(folder: Path, setting: str) -> None:
    """Make a folder, and those above it, where there is none.

    Args:
        folder: the folder.
        setting: the setting that names it, and its value, for the error text.

    Raises:
        ClaimkindError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ClaimkindError(
            f"{setting} cannot be written ({error.strerror}), expected a writable folder: choose another"
        ) from None


def write_part(rows: pd.DataFrame, path: Path, *, escape_formulas: bool = False) -> None:
    """Write rows to a file of their own, in the format of its ending; see `read_part`."""
    if escape_formulas and path.suffix.lower() in _FOR_SPREADSHEETS:
        rows = formulas.escape(rows)
    with atomic_write(path, synced=False) as draft:  # a part that a power failure cut off is known by its digest
        _output_of(path).write(rows, draft)


def read_part(path: Path, *, escape_formulas: bool = False) -> pd.DataFrame:
    """Read a part again, with the numbers of the scoring engine as numbers and other columns as the format has them.

    Args:
        path: the part.
        escape_formulas: whether `write_part` escaped what is a formula for spreadsheets; only in CSV files.
    """
    rows = _output_of(path).read(path)
    if escape_formulas and path.suffix.lower() in _FOR_SPREADSHEETS:
        rows = formulas.unescape(rows)
    numbers = {name: pd.to_numeric(rows[name]).astype(kind) for name, kind in _NUMBERS.items() if name in rows}
    return rows.assign(**numbers)


def join_parts(parts: Sequence[Path], path: Path) -> None:
    """Join parts into one file, one after the other; a column that a part lacks is empty in its rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as draft:
        _output_of(path).join(parts, draft)


def _output_of(path: Path) -> Output:
    return OUTPUTS[path.suffix.lower()]
