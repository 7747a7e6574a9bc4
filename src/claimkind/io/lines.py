"""Lines of a file, and limits on how much of it is in memory at once."""

import contextlib
import io
from collections.abc import Iterator
from typing import IO, TypeVar

from claimkind.io.input_file import InputFile

T = TypeVar("T")
LONGEST_TEXT = 1_000_000
"""Characters of a text; no sentence and no document is longer."""
HELD = 8 * LONGEST_TEXT
"""Characters, or bytes, that are read at once."""
_LONGEST_LINE = 5 * LONGEST_TEXT  # a row holds other columns too; a line without an end must not fill the memory
LONG_LINE = f"a line longer than {_LONGEST_LINE:,} characters"


class Lines:
    """Lines of a text stream with their ends; None in the place of a line that is too long."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.characters = 0
        """How many were read so far."""

    def __iter__(self) -> Iterator[str | None]:
        while line := self._stream.readline(_LONGEST_LINE + 1):
            self.characters += len(line)
            if len(line) <= _LONGEST_LINE:
                yield line
                continue
            while line and not line.endswith(("\n", "\r")):
                line = self._stream.readline(_LONGEST_LINE)
            yield None


def batches(rows: Iterator[T], size: int, lines: Lines) -> Iterator[list[T]]:
    """Rows in lists of `size`, or fewer where the lines that they are read from are long."""
    batch: list[T] = []
    begin = lines.characters
    for row in rows:
        batch.append(row)
        if len(batch) >= size or lines.characters - begin >= HELD:
            yield batch
            batch, begin = [], lines.characters
    if batch:
        yield batch


@contextlib.contextmanager
def open_text(file: InputFile, encoding: str) -> Iterator[IO[str]]:
    """Open a text file in an encoding from `encoding_of`, with its line ends as they are.

    Bytes that are not in the encoding become surrogates, so that only their row is rejected.
    """
    with file.open() as stream:
        yield io.TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline="")


@contextlib.contextmanager
def open_lines(file: InputFile, encoding: str) -> Iterator[Lines]:
    """Open a text file to read it line by line; see `open_text`."""
    with open_text(file, encoding) as stream:
        yield Lines(stream)
