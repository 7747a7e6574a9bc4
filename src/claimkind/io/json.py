"""JSON files: an array of objects, one object, or objects one after the other."""

import json
import re
from collections.abc import Iterator
from typing import IO, Any

from claimkind.io.base import Format, Row, Table, TableOptions, UnreadableError
from claimkind.io.encodings import encoding_of
from claimkind.io.input_file import InputFile
from claimkind.io.lines import LONGEST_TEXT, open_text

_PIECE = 1 << 16
_LONGEST_VALUE = 5 * LONGEST_TEXT  # characters
_BLANKS = re.compile(r"\s*")


def read(file: InputFile, options: TableOptions) -> Table:
    """Read the objects of a file; see `Format.read`."""
    return Table(None, _batches(file, encoding_of(file), options.batch_size))


def _batches(file: InputFile, encoding: str, size: int) -> Iterator[list[Row]]:
    with open_text(file, encoding) as stream:
        batch: list[Row] = []
        for value in _values(_Text(stream)):
            batch.append(Row(value) if isinstance(value, dict) else Row({}, "no JSON object"))
            if len(batch) >= size:
                yield batch
                batch = []
        if batch:
            yield batch


class _Text:
    """Text that is read piece by piece, and decoded value by value."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._held = ""
        self._at = 0
        self._decoder = json.JSONDecoder()

    def _read(self) -> bool:
        """Read as much again as is held; False at the end of the file."""
        piece = self._stream.read(max(_PIECE, len(self._held) - self._at))
        self._held, self._at = self._held[self._at :] + piece, 0
        return piece != ""

    def peek(self) -> str:
        """The next character that is not blank; empty at the end of the file."""
        while True:
            blanks = _BLANKS.match(self._held, self._at)
            self._at = blanks.end() if blanks else self._at
            if self._at < len(self._held):
                return self._held[self._at]
            if not self._read():
                return ""

    def skip(self) -> None:
        """Go past the next character."""
        self._at += 1

    def value(self) -> Any:
        """Decode the next value.

        Raises:
            UnreadableError: it is no JSON, or longer than a row may be.
        """
        while True:
            try:
                value, end = self._decoder.raw_decode(self._held, self._at)
            except (ValueError, RecursionError):
                end = -1
            if 0 <= end < len(self._held):
                self._at = end
                return value
            if len(self._held) - self._at > _LONGEST_VALUE:
                raise UnreadableError(f"holds a value longer than {_LONGEST_VALUE:,} characters: check it")
            if not self._read():
                if end < 0:
                    raise UnreadableError("is no JSON from some row on, expected an array of objects: check it")
                self._at = end
                return value


def _values(text: _Text) -> Iterator[Any]:
    in_array = text.peek() == "["
    if in_array:
        text.skip()
    while character := text.peek():
        if in_array and character == "]":
            return
        if in_array and character == ",":
            text.skip()
            text.peek()
        yield text.value()
    if in_array:
        raise UnreadableError("is cut off within its array, expected a closing bracket: check it")


FORMAT = Format(read)
