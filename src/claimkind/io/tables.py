"""Reading a whole table at once, for tables that fit into memory."""

import csv
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from claimkind.errors import ClaimkindError
from claimkind.io.base import Row, TableOptions
from claimkind.io.columns import Columns
from claimkind.io.compression import DAMAGED
from claimkind.io.files import find_files
from claimkind.io.formats import FORMATS
from claimkind.io.input_file import InputFile
from claimkind.io.readers import check_columns, reason_of
from claimkind.io.rows import problem_of


class RejectedRow(NamedTuple):
    """A row of a table that cannot be used."""

    place: str
    """Where it is: `line 12`, or `row 11` (from 0) in files without lines."""
    reason: str


class WholeTable(NamedTuple):
    """All rows of a table."""

    rows: pd.DataFrame
    """The good rows, all columns as objects; the index is the number of the row, from 0, rejected rows included."""
    places: list[str]
    """Where each of them is; see `RejectedRow.place`."""
    rejected: list[RejectedRow]


def read_table(
    path: Path, *, text_column: str, separator: str | None = None, fill_short_rows: bool = False
) -> WholeTable:
    """Read a table in any of the formats that scoring reads.

    Args:
        path: the file.
        text_column: the column with the text; a row without text is rejected.
        separator: between the cells of a CSV file; None detects it.
        fill_short_rows: whether a row of a CSV file may end before the last column, rather than be rejected.

    Raises:
        ClaimkindError: there is no such file, it is an archive of several, it cannot be read, or it has no such column.
    """
    file = _only_file(path)
    options = TableOptions(separator=separator, fill_short_rows=fill_short_rows, text_column=text_column)
    rows: list[Row] = []
    try:
        table = FORMATS[file.ending].read(file, options)
        if table.columns is not None:
            check_columns(table.columns, Columns(text_column))
        for batch in table.batches:
            rows += batch
    except (ValueError, csv.Error, *DAMAGED) as error:
        raise ClaimkindError(f"{path} {reason_of(error, file)}") from None
    return _checked(rows, text_column)


def _only_file(path: Path) -> InputFile:
    files = find_files(path)
    if len(files) > 1:
        raise ClaimkindError(f"{path} holds {len(files)} files, expected one: extract the one to read")
    return files[0]


def _checked(rows: list[Row], text_column: str) -> WholeTable:
    good, places, rejected = {}, [], []
    for number, row in enumerate(rows):
        place = f"row {number}" if row.line is None else f"line {row.line}"
        problem = row.problem or problem_of(row.values, text_column)
        if problem:
            rejected.append(RejectedRow(place, problem))
        else:
            good[number] = row.values
            places.append(place)
    columns = list(dict.fromkeys(name for values in good.values() for name in values))
    table = pd.DataFrame(list(good.values()), index=list(good), columns=columns, dtype=object)
    return WholeTable(table, places, rejected)
