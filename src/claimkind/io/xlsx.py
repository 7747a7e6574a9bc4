"""Excel workbooks: the rows of each sheet below its header."""

import io
from collections.abc import Iterator, Sequence
from typing import Any

from claimkind.io.base import Format, Row, Table, TableOptions
from claimkind.io.extras import import_extra, read_bytes, reading
from claimkind.io.input_file import InputFile

SHEET = "sheet"
"""The column that names the sheet, where several hold rows."""


def read(file: InputFile, options: TableOptions) -> Table:
    """Read the rows of all sheets; the first row of a sheet that is not blank is its header.

    Of a formula, the value that was saved with it is read. Where several sheets hold rows, they have a column `sheet`.

    Raises:
        UnreadableError: the file is no workbook, or openpyxl is not installed.
    """
    openpyxl = import_extra("openpyxl", "openpyxl")
    data = read_bytes(file)
    with reading(file):
        workbook = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        headers = {sheet: _header(sheet) for sheet in workbook.worksheets}
    headers = {sheet: header for sheet, header in headers.items() if header}
    rows = _rows(file, headers, options)
    if len(headers) > 1:
        return Table(None, rows)
    return Table([name for header in headers.values() for name in header], rows)


def _header(sheet: Any) -> list[str]:
    """The names of a sheet's columns, empty for those without; no names if the sheet is empty."""
    cells = next((row for row in sheet.iter_rows(values_only=True) if not _is_blank(row)), ())
    names = ["" if cell is None else str(cell) for cell in cells]
    while names and not names[-1]:
        names.pop()
    return names


def _is_blank(row: Sequence[Any]) -> bool:
    return all(cell is None or cell == "" for cell in row)


def _rows(file: InputFile, headers: dict[Any, list[str]], options: TableOptions) -> Iterator[list[Row]]:
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


def _sheet_rows(sheet: Any, header: list[str]) -> Iterator[Row]:
    """The rows below the header; a blank one is no row."""
    rows = ((number, row) for number, row in enumerate(sheet.iter_rows(values_only=True), 1) if not _is_blank(row))
    next(rows)
    for number, row in rows:
        cells = [*row, *[None] * (len(header) - len(row))]
        if _is_blank(cells[len(header) :]):
            yield Row(dict(zip(header, cells, strict=False)), line=number)
        else:
            filled = max(place for place, cell in enumerate(cells, 1) if cell is not None)
            yield Row({}, f"{filled} fields, expected {len(header)}", number)


FORMAT = Format(read, count=lambda file: 0)
