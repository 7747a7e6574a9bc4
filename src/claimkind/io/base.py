"""The contract of a file format."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from claimkind.io.lines import count_lines

Row = dict[str, Any] | str
"""A row of a table by column, or the reason why it cannot be read."""


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


@dataclass(frozen=True)
class Format:
    """How files of one format are read, and written where that is possible."""

    read: Callable[[Path, int], Table]
    """Read the rows of a file, at most so many at a time.

    Raises ValueError, csv.Error, or one of `compression.DAMAGED` where the file cannot be read.
    """
    read_document: Callable[[Path], str] | None = None
    """Read the file as one text; None where it is a table."""
    output: Output | None = None
    count: Callable[[Path], int] = count_lines
    """About how many rows a file holds."""
    compressible: bool = True
    """Whether the file may be compressed as a whole."""
