"""Excel workbooks: the rows of each sheet below its header."""

import io
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from claimkind.io.base import Format, Row, Table, TableOptions
from claimkind.io.extras import check_unpacked_size, import_extra, read_bytes, reading
from claimkind.io.input_file import InputFile

_MOST_ROWS_ABOVE = 20
SHEET = "sheet"
"""The column that names the sheet, where several hold rows."""


def read(file: InputFile, options: TableOptions) -> Table:
    """Read the rows of all sheets, each below its header.

    The header is the row with the column of texts, if one of the first rows has it, else the first that is not blank.

    Of a formula, the value that was saved with it is read. Where several sheets hold rows, they have a column `sheet`.

    Raises:
        UnreadableError: the file is no workbook, or openpyxl is not installed.
    """
    openpyxl = import_extra("openpyxl", "openpyxl")
    data = read_bytes(file)
    with reading(file):
        check_unpacked_size(data)
        workbook = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        headers = {sheet: _header(sheet, options.text_column) for sheet in workbook.worksheets}
    headers = {sheet: header for sheet, header in headers.items() if header.names}
    rows = _rows(file, headers, options)
    if len(headers) > 1:
        return Table(None, rows)
    return Table([name for header in headers.values() for name in header.names], rows)


class _Header(NamedTuple):
    names: list[str]
    """Of a sheet's columns, empty for those without; no names if the sheet is empty."""
    row: int = 0
    """Its number, from 1."""


def _header(sheet: Any, text_column: str) -> _Header:
    rows = ((number, row) for number, row in enumerate(sheet.iter_rows(values_only=True), 1) if not _is_blank(row))
    first = [_Header(_names(row), number) for number, row in itertools.islice(rows, _MOST_ROWS_ABOVE)]
    return next((header for header in first if text_column in header.names), first[0] if first else _Header([]))


def _names(cells: Sequence[Any]) -> list[str]:
    names = ["" if cell is None else str(cell) for cell in cells]
    while names and not names[-1]:
        names.pop()
    return names


def _is_blank(row: Sequence[Any]) -> bool:
    return all(cell is None or cell == "" for cell in row)


def _rows(file: InputFile, headers: dict[Any, _Header], options: TableOptions) -> Iterator[list[Row]]:
    batch: list[Row] = []
    with reading(file):
        for sheet, header in headers.items():
            named = {SHEET: sheet.title} if len(headers) > 1 else {}
            for row in _sheet_rows(sheet, header):
                batch.append(row._replace(values={**named, **row.values}) if row.values else row)
                if len(batch) >= options.batch_size:
                    yield batch
                    batch = []
        if batch:
            yield batch


def _sheet_rows(sheet: Any, header: _Header) -> Iterator[Row]:
    """The rows below the header; a blank one is no row."""
    names, first = header.names, header.row + 1
    for number, row in enumerate(sheet.iter_rows(values_only=True, min_row=first), first):
        if _is_blank(row):
            continue
        cells = [*row, *[None] * (len(names) - len(row))]
        if _is_blank(cells[len(names) :]):
            yield Row(dict(zip(names, cells, strict=False)), line=number)
        else:
            filled = max(place for place, cell in enumerate(cells, 1) if cell is not None)
            yield Row({}, f"{filled} fields, expected {len(names)}", number)


FORMAT = Format(read, count=lambda file: 0)
