"""JSON files: an array of objects, alone or within an object; one object; or objects one after the other."""

import itertools
import json
import re
from collections.abc import Iterator
from typing import IO, Any

from claimkind.io.base import Format, Row, Table, TableOptions, UnreadableError
from claimkind.io.encodings import encoding_of
from claimkind.io.input_file import InputFile
from claimkind.io.lines import LONGEST_TEXT, open_text
from claimkind.io.rows import value_of

_PIECE = 1 << 16
_LONGEST_VALUE = 5 * LONGEST_TEXT  # characters
_DEEPEST = 3  # levels of objects around the rows
_BLANKS = re.compile(r"\s*")


def read(file: InputFile, options: TableOptions) -> Table:
    """Read the objects of a file; see `Format.read`."""
    return Table(None, _batches(file, encoding_of(file), options))


def _batches(file: InputFile, encoding: str, options: TableOptions) -> Iterator[list[Row]]:
    size = options.batch_size
    with open_text(file, encoding) as stream:
        batch: list[Row] = []
        for value in _unwrapped(_Text(stream), options.text_column):
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
                raise UnreadableError(
                    f"holds a value longer than {_LONGEST_VALUE:,} characters, expected an array of objects, or JSON "
                    "lines: convert it"
                )
            if not self._read():
                if end < 0:
                    raise UnreadableError("is no JSON from some row on, expected an array of objects: check it")
                self._at = end
                return value


def _unwrapped(text: _Text, text_column: str) -> Iterator[Any]:
    """The values of a file; if there is one object without a text, those of the list in it that have texts."""
    in_array, values = text.peek() == "[", _values(text)
    first = list(itertools.islice(values, 2))
    rows = _rows_within(first[0], text_column) if len(first) == 1 and not in_array else []
    yield from rows[0] if len(rows) == 1 else first
    yield from values


def _rows_within(value: Any, text_column: str, depth: int = 0) -> list[list[Any]]:
    """The lists within an object that hold objects with a text, unless it has one itself."""
    if not isinstance(value, dict) or depth > _DEEPEST or value_of(value, text_column) is not None:
        return []
    lists = [inner for inner in value.values() if isinstance(inner, list)]
    found = [inner for inner in lists if any(_has_text(one, text_column) for one in inner)]
    return found + [rows for inner in value.values() for rows in _rows_within(inner, text_column, depth + 1)]


def _has_text(value: Any, text_column: str) -> bool:
    return isinstance(value, dict) and value_of(value, text_column) is not None


def _values(text: _Text) -> Iterator[Any]:
    in_array = False
    while character := text.peek():
        if character == ("]" if in_array else "["):  # several arrays may follow each other
            in_array = not in_array
            text.skip()
            continue
        if in_array and character == ",":
            text.skip()
            text.peek()
        yield text.value()
    if in_array:
        raise UnreadableError("is cut off within its array, expected a closing bracket: check it")


FORMAT = Format(read)
