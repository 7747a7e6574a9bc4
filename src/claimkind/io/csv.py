"""CSV files."""

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import pandas as pd

from claimkind.io.base import Format, Output, Row, Table
from claimkind.io.joining import join_bytes
from claimkind.io.lines import LONG_LINE, LONGEST_TEXT, Lines, batches, open_lines
from claimkind.io.values import kinds_as_text


def read(path: Path, size: int) -> Table:
    """Read the rows below a header; see `Format.read`."""
    csv.field_size_limit(LONGEST_TEXT)
    with open_lines(path) as lines:
        header = next(_reader(_Records(lines)), [])
    return Table(header, _rows(path, size, header))


def _rows(path: Path, size: int, header: list[str]) -> Iterator[list[Row]]:
    with open_lines(path) as lines:
        records = _Records(lines)
        reader = _reader(records)
        next(reader, None)
        yield from batches(_checked(reader, records, header), size, lines)


def _reader(records: "_Records") -> Iterator[list[str]]:
    return csv.reader(records, strict=True)


class _Records:
    """Lines that can be read again, apart from the first line of a record.

    A quotation mark that is never closed takes all lines up to the next quotation mark into its record.
    """

    def __init__(self, lines: Lines) -> None:
        self._lines = iter(lines)
        self._again: deque[str | None] = deque()
        self.record: list[str | None] = []
        """The lines of the record that is being read."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.record.append(line)
        if line is None:
            raise csv.Error(LONG_LINE)
        return line

    def back_to_second_line(self) -> None:
        """Read the record again from its second line."""
        self._again.extendleft(reversed(self.record[1:]))


def _checked(reader: Iterator[list[str]], records: _Records, header: list[str]) -> Iterator[Row]:
    while True:
        records.record.clear()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            records.back_to_second_line()
            yield f"no CSV row: {error}"
            continue
        if not fields:
            continue  # a blank line is no row
        if len(fields) != len(header):
            yield f"{len(fields)} fields, expected {len(header)}"
        else:
            yield dict(zip(header, fields, strict=True))


def write_part(rows: pd.DataFrame, path: Path) -> None:
    """Write rows below a header; see `Output.write`."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        # As text: CSV has no other type, and some bytes would pass for text where others do not.
        _write(rows.apply(kinds_as_text, kinds=(dict, list, bytes)), stream, header=True)


def _write(rows: pd.DataFrame, stream: IO[str], *, header: bool) -> None:
    # Readers take a carriage return for the end of a row, but pandas does not quote it by itself.
    returns = any("\r" in str(name) or _holds_return(rows[name]) for name in rows)
    rows.to_csv(stream, index=False, header=header, quoting=csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL)


def _holds_return(values: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(values):
        return False
    return any(isinstance(value, str) and "\r" in value for value in values)


def read_part(path: Path) -> pd.DataFrame:
    """Read a part with all cells as text."""
    # With the header as a row: pandas would change names that are empty.
    cells = pd.read_csv(path, dtype=str, keep_default_na=False, header=None)
    return cells[1:].set_axis(cells.iloc[0], axis="columns").reset_index(drop=True)


def join(parts: Sequence[Path], path: Path) -> None:
    """Join parts; see `Output.join`."""
    headers = [_header_of(part) for part in parts]
    columns = list(dict.fromkeys(column for header in headers for column in header))
    if all(header == columns for header in headers) and not any("\n" in name or "\r" in name for name in columns):
        join_bytes(parts, path, header_lines=1)
        return
    with path.open("w", encoding="utf-8", newline="") as stream:
        for number, part in enumerate(parts):
            _write(read_part(part).reindex(columns=columns), stream, header=number == 0)


def _header_of(part: Path) -> list[str]:
    with part.open(encoding="utf-8", newline="") as stream:
        return next(csv.reader(stream))


FORMAT = Format(read, output=Output(write_part, read_part, join))
