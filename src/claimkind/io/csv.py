"""CSV files: cells between separators, rows below a header."""

import csv
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import pandas as pd

from claimkind.io.base import Format, Output, Row, Table, TableOptions
from claimkind.io.dialects import Dialect, detect_dialect
from claimkind.io.encodings import encoding_of
from claimkind.io.input_file import InputFile
from claimkind.io.joining import join_bytes
from claimkind.io.lines import LONG_LINE, LONGEST_TEXT, Lines, batches, open_lines
from claimkind.io.values import kinds_as_text

_LOGGER = logging.getLogger(__name__)
_SAMPLED_LINES = 200
_SAMPLED_CHARACTERS = 1 << 18
_TAB = ".tsv"


def read(file: InputFile, options: TableOptions) -> Table:
    """Read the rows below a header; see `Format.read`."""
    csv.field_size_limit(LONGEST_TEXT)
    encoding = encoding_of(file)
    dialect = detect_dialect(_sample(file, encoding), options.separator, options.text_column)
    with open_lines(file, encoding) as lines:
        header = next(_Records(lines, dialect).fields(), [])
    if len(header) > 1 and dialect.is_unusual("\t" if file.ending == _TAB else ","):
        _LOGGER.info("%s: %s", file.name, dialect)
    return Table(header, _rows(file, encoding, dialect, options))


def _sample(file: InputFile, encoding: str) -> list[str]:
    sample: list[str] = []
    with open_lines(file, encoding) as lines:
        for line in lines:
            sample.append(line or "")
            if len(sample) >= _SAMPLED_LINES or lines.characters >= _SAMPLED_CHARACTERS:
                break
    return sample


def _rows(file: InputFile, encoding: str, dialect: Dialect, options: TableOptions) -> Iterator[list[Row]]:
    with open_lines(file, encoding) as lines:
        records = _Records(lines, dialect)
        header = next(records.fields(), [])
        rows = records.rows(header, fill_short_rows=options.fill_short_rows)
        yield from batches(rows, options.batch_size, lines)


class _Records:
    """Records of a CSV file, whose lines can be read again apart from the first of a record.

    A quotation mark that is never closed takes all lines up to the next quotation mark into its record.
    """

    def __init__(self, lines: Lines, dialect: Dialect) -> None:
        self._lines = enumerate(lines, start=1)
        for _ in range(dialect.skipped_lines):
            next(self._lines, None)
        self._again: deque[tuple[int, str | None]] = deque()
        self._record: list[tuple[int, str | None]] = []
        self._reader = csv.reader(self, strict=True, **dialect.options())

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        number, line = self._again.popleft() if self._again else next(self._lines)
        self._record.append((number, line))
        if line is None:
            raise csv.Error(LONG_LINE)
        return line

    def fields(self) -> Iterator[list[str]]:
        """The cells of each record that is not blank."""
        return (fields for fields in self._reader if fields)

    def rows(self, header: Sequence[str], *, fill_short_rows: bool) -> Iterator[Row]:
        """The rows below the header; a blank line is no row."""
        while True:
            self._record.clear()
            try:
                fields = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._again.extendleft(reversed(self._record[1:]))
                yield Row({}, f"no CSV row: {error}", self._record[0][0])
                continue
            if fill_short_rows and fields:
                fields += [""] * (len(header) - len(fields))
            if len(fields) == len(header):
                yield Row(dict(zip(header, fields, strict=True)), line=self._record[0][0])
            elif fields:
                yield Row({}, f"{len(fields)} fields, expected {len(header)}", self._record[0][0])


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
INPUT_FORMAT = Format(read)
