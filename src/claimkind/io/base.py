"""The contract of a file format."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from claimkind.io.input_file import InputFile
from claimkind.text.blocks import ParsedText

_PIECE = 1 << 20


class Row(NamedTuple):
    """A row of a table, or the reason why it cannot be read."""

    values: dict[str, Any]
    """By column."""
    problem: str = ""
    """Why the row cannot be read; empty where it can."""
    line: int | None = None
    """The line on which it begins, from 1; None in files without lines."""


@dataclass(frozen=True)
class TableOptions:
    """How a table is read."""

    batch_size: int = 8192
    """Rows that are read at once, at most."""
    separator: str | None = None
    """Between the cells of a CSV file; None detects it."""
    fill_short_rows: bool = False
    """Whether a row of a CSV file may end before the last column, rather than be rejected."""
    text_column: str = "text"
    """The column with the text, which tells the header from lines above it, and rows from an object around them."""


class UnreadableError(ValueError):
    """A file cannot be read; the text goes on a sentence that begins with its path."""


class Table(NamedTuple):
    """The rows of a file, which are read while one iterates over them."""

    columns: Sequence[str] | None
    """Names of the columns where the file gives them before its rows; None where each row gives its own."""
    batches: Iterator[list[Row]]


@dataclass(frozen=True)
class Output:
    """How rows are written: part by part, then as one file."""

    write: Callable[[pd.DataFrame, Path], None]
    """Write a part."""
    read: Callable[[Path], pd.DataFrame]
    """Read a part again."""
    join: Callable[[Sequence[Path], Path], None]
    """Join parts into one file; a column that a part lacks is empty in its rows."""


def count_line_ends(file: InputFile) -> int:
    """The number of line ends in a file, which is about the number of its rows."""
    with file.open() as stream:
        pieces = iter(lambda: stream.read(_PIECE), b"")
        counts = [(piece.count(b"\n"), piece.count(b"\r")) for piece in pieces]
    newlines, returns = (sum(column) for column in zip(*counts, strict=True)) if counts else (0, 0)
    return newlines or returns


@dataclass(frozen=True)
class Format:
    """How files of one format are read, and written where that is possible."""

    read: Callable[[InputFile, TableOptions], Table]
    """Read the rows of a file. Raises ValueError, csv.Error, or one of `compression.DAMAGED` where the file
    cannot be read.
    """
    read_document: Callable[[InputFile, str], ParsedText] | None = None
    """Read the file as one text with its blocks; None where it is a table. The second argument is what a line break
    within a paragraph is, see `join_hard_wraps`.
    """
    output: Output | None = None
    count: Callable[[InputFile], int] = count_line_ends
    """About how many rows a file holds."""
    compressible: bool = True
    """Whether the file may be compressed as a whole."""
