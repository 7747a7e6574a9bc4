"""Cells of CSV files that spreadsheets would compute, written so that they are text there.

A cell that begins with one of a few characters is a formula for Excel, LibreOffice and Google Sheets, and a formula can
send the other cells to anywhere (OWASP, "CSV Injection"). An apostrophe in front makes it text.
"""

import re
from collections.abc import Callable
from typing import Any

import pandas as pd

from claimkind.io.values import as_text

FORMULA = r"'*[=+\-@＝＋－＠\t\r\n]"
"""How a cell begins that is escaped. Apostrophes before it count, so that an escaped cell can be told from others."""
NUMBER = r"[+-]?[0-9][0-9.,]*([eE][+-]?[0-9]+)?%?"
"""A number, which stays as it is."""
_FIRST = frozenset("'=+-@＝＋－＠\t\r\n")
_FORMULA, _NUMBER = re.compile(FORMULA), re.compile(NUMBER)


def escape(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows whose cells and column names that begin like a formula have an apostrophe in front; `unescape` undoes it."""
    return _mapped(rows, _escaped)


def unescape(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows as they were before `escape`, apart from bytes, which are text."""
    return _mapped(rows, _unescaped)


def _mapped(rows: pd.DataFrame, change: Callable[[Any], Any]) -> pd.DataFrame:
    return pd.DataFrame({change(name): _mapped_column(rows[name], change) for name in rows}, index=rows.index)


def _mapped_column(values: pd.Series, change: Callable[[Any], Any]) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values):
        return values
    cells = values.tolist()
    if not any(isinstance(cell, bytes) or (isinstance(cell, str) and cell[:1] in _FIRST) for cell in cells):
        return values
    changed = [change(cell) for cell in cells]
    same = all(before is after for before, after in zip(cells, changed, strict=True))
    return values if same else pd.Series(changed, index=values.index, dtype=object)


def _escaped(cell: Any) -> Any:
    text = as_text(cell) if isinstance(cell, bytes) else cell  # base 64 can begin with a plus sign
    if isinstance(text, str) and _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return cell


def _unescaped(cell: Any) -> Any:
    return cell[1:] if isinstance(cell, str) and cell[:1] == "'" and _FORMULA.match(cell) else cell
