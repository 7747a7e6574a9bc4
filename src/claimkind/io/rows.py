"""Rows of an input: each with an id and a text, or rejected with a reason."""

import functools
from typing import Any, NamedTuple

import pandas as pd

from claimkind.io.base import Row
from claimkind.io.columns import Columns, is_among, rename_reserved_columns
from claimkind.io.input_file import InputFile
from claimkind.io.lines import LONGEST_TEXT
from claimkind.text.visible import is_blank

# What databases, pandas and Excel write where there is no value, or an error.
_NULLS = frozenset({
    "\\N", "NULL", "NaN", "nan", "<NA>", "#N/A", "#VALUE!", "#REF!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!",
})  # fmt: skip
_NO_TEXT: dict[type, str] = {dict: "an object", list: "a list"}
# How Python marks bytes that are no UTF-8, or one half of a character that JSON escapes in two.
_SURROGATES = {chr(code) for code in range(0xD800, 0xE000)}


class Rejected(NamedTuple):
    """A row that cannot be scored."""

    file: str
    row: int | None
    """Its number from 0 within the file, in which a blank line is no row; None for all rows that were not read."""
    reason: str


class Chunk(NamedTuple):
    """Some rows of the input in their order, and those between them that cannot be scored."""

    rows: pd.DataFrame
    """`id` and `text`, both strings, and the other columns of the input."""
    rejected: list[Rejected]


class RowCheck(NamedTuple):
    """How the rows of a file are checked and named."""

    file: InputFile
    columns: Columns
    of_lines: bool
    """Whether they are lines of a text file, which have no ids of their own."""

    def chunk(self, batch: list[Row], first: int) -> Chunk:
        """Check a batch of rows; `first` is the number of its first row, from 0."""
        rows, rejected = [], []
        for number, row in enumerate(batch, start=first):
            values = {**self.file.partitions, **row.values} if self.file.partitions else row.values
            problem = row.problem or problem_of(values, self.columns.text) or self._missing_id(values)
            if problem:
                rejected.append(Rejected(self.file.name, number, problem))
            else:
                rows.append(self._named(values, number))
        return chunk_of(rows, rejected)

    def _missing_id(self, row: dict[str, Any]) -> str:
        return "" if self.columns.has_id(row) else f"no column {self.columns.id!r}"

    def _named(self, row: dict[str, Any], number: int) -> dict[str, Any]:
        own = value_of(row, self.columns.id)
        key = str(own) if own is not None and not self.of_lines else f"{self._prefix}{number if own is None else own}"
        file = {} if self.file.alone else {"file": self.file.name}
        others = {_renamed(name, *file): value for name, value in row.items() if name not in self.columns}
        return {"id": key, "text": str(value_of(row, self.columns.text)), **file, **others}

    @property
    def _prefix(self) -> str:
        return "" if self.file.alone and not self.of_lines else f"{self.file.name}:"


@functools.lru_cache(1024)
def _renamed(column: str, *reserved: str) -> str:
    return rename_reserved_columns([column], ("id", "text", *reserved))[column]


def value_of(row: dict[str, Any], column: str) -> Any:
    """The value of a column, bytes in UTF-8 as text; None where there is none.

    Args:
        row: a row by column.
        column: a name, or a path through nested objects as `body.plain`.
    """
    value: Any = row.get(column)
    if column not in row:
        value = row
        for name in column.split("."):
            value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return value


def problem_of(row: dict[str, Any], text_column: str) -> str | None:
    """Why a row cannot be scored, or cannot be written; None where it can."""
    text = value_of(row, text_column)
    if text is None and not is_among(text_column, row):
        return f"no column {text_column!r}"
    if type(text) in _NO_TEXT:
        return f"no text but {_NO_TEXT[type(text)]}"
    # Null, not a number, or nothing to see.
    if text is None or text != text or (is_blank(str(text)) and not _is_undecoded(text)):
        return "no text"
    if str(text).strip() in _NULLS:
        return f"no text but {str(text).strip()}"
    if len(str(text)) > LONGEST_TEXT:
        return f"longer than {LONGEST_TEXT:,} characters: split it into several"
    try:
        return "no valid UTF-8" if any(map(_is_undecoded, (text, *row, *row.values()))) else None
    except RecursionError:
        return "nested too deep"


def _is_undecoded(value: Any) -> bool:
    """Whether a value holds text that no file can hold."""
    if isinstance(value, str):
        return not value.isascii() and not _SURROGATES.isdisjoint(value)
    if isinstance(value, dict):
        return any(map(_is_undecoded, (*value, *value.values())))
    return isinstance(value, list) and any(map(_is_undecoded, value))


def chunk_of(rows: list[dict[str, Any]], rejected: list[Rejected]) -> Chunk:
    """A chunk of checked rows."""
    # As objects: pandas would make fractions of whole numbers in a column with a gap.
    return Chunk(pd.DataFrame(rows, columns=None if rows else ["id", "text"], dtype=object), rejected)
