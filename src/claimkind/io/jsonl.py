"""JSON lines: one JSON object a line."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from claimkind.io.base import Format, Output, Row, Table
from claimkind.io.joining import join_bytes
from claimkind.io.lines import LONG_LINE, batches, open_lines
from claimkind.io.values import as_json


def read(path: Path, size: int) -> Table:
    """Read the objects of all lines that are not blank; see `Format.read`."""
    return Table(None, _rows(path, size))


def _rows(path: Path, size: int) -> Iterator[list[Row]]:
    with open_lines(path) as lines:
        rows = (_row(line) for line in lines if line is None or line.strip())
        yield from batches(rows, size, lines)


def _row(line: str | None) -> Row:
    if line is None:
        return LONG_LINE
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return "no JSON"
    return row if isinstance(row, dict) else "no JSON object"


def write_part(rows: pd.DataFrame, path: Path) -> None:
    """Write rows; see `Output.write`."""
    # Not by pandas, which rounds to 15 decimal places and knows no number of more than 64 bits.
    records = rows.astype(object).where(rows.notna(), None).to_dict("records")
    path.write_text("".join(as_json(record) + "\n" for record in records), encoding="utf-8")


def read_part(path: Path) -> pd.DataFrame:
    """Read a part; see `Output.read`."""
    return pd.DataFrame([json.loads(line) for line in path.read_bytes().splitlines()], dtype=object)


FORMAT = Format(read, output=Output(write_part, read_part, join_bytes))
