"""JSON lines: one JSON object a line; what is JSON of another form is read as such."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from claimkind.io import json as json_files
from claimkind.io.base import Format, Output, Row, Table, TableOptions
from claimkind.io.encodings import encoding_of
from claimkind.io.input_file import InputFile
from claimkind.io.joining import join_bytes
from claimkind.io.lines import LONG_LINE, batches, open_lines
from claimkind.io.values import as_json

# The first line of an array of objects, or of an object on several lines.
_OTHER_JSON = re.compile(r"\[\s*(?:\{|$)|\{$")


def read(file: InputFile, options: TableOptions) -> Table:
    """Read the objects of all lines that are not blank; see `Format.read`."""
    encoding = encoding_of(file)
    with open_lines(file, encoding) as lines:
        first = next((line.strip() for line in lines if line and line.strip()), "")
    if _OTHER_JSON.match(first):
        return json_files.read(file, options)
    return Table(None, _rows(file, encoding, options.batch_size))


def _rows(file: InputFile, encoding: str, size: int) -> Iterator[list[Row]]:
    with open_lines(file, encoding) as lines:
        rows = (_row(line, number) for number, line in enumerate(lines, 1) if line is None or line.strip())
        yield from batches(rows, size, lines)


def _row(line: str | None, number: int) -> Row:
    if line is None:
        return Row({}, LONG_LINE, number)
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return Row({}, "no JSON", number)
    return Row(values, line=number) if isinstance(values, dict) else Row({}, "no JSON object", number)


def write_part(rows: pd.DataFrame, path: Path) -> None:
    """Write rows; see `Output.write`."""
    # Not by pandas, which rounds to 15 decimal places and knows no number of more than 64 bits.
    records = rows.astype(object).where(rows.notna(), None).to_dict("records")
    path.write_text("".join(as_json(record) + "\n" for record in records), encoding="utf-8")


def read_part(path: Path) -> pd.DataFrame:
    """Read a part; see `Output.read`."""
    return pd.DataFrame([json.loads(line) for line in path.read_bytes().splitlines()], dtype=object)


FORMAT = Format(read, output=Output(write_part, read_part, join_bytes))
