"""Reading the rows and documents of a file in any format; bad rows are rejected, the others are read."""

import csv
import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from claimkind.errors import ClaimkindError, first_line
from claimkind.io.base import Row, TableOptions, UnreadableError
from claimkind.io.columns import Columns, is_among
from claimkind.io.compression import DAMAGED
from claimkind.io.formats import FORMATS
from claimkind.io.input_file import InputFile
from claimkind.io.rows import Chunk, Rejected, RowCheck, chunk_of
from claimkind.text.blocks import ParsedText


def holds_documents(file: InputFile) -> bool:
    """Whether a file is a text, and no table."""
    return FORMATS[file.ending].read_document is not None


class ReadDocument(NamedTuple):
    """A file that was read as one text, or rejected."""

    chunk: Chunk
    """One row, or one rejection."""
    parsed: ParsedText
    """The text of the row with its blocks; empty where it is rejected."""


def read_document(file: InputFile, line_breaks: str = "auto") -> ReadDocument:
    """Read a text file as one text, without its front matter.

    Args:
        file: a file of which `holds_documents` is true.
        line_breaks: what a line break within a paragraph is: see `join_hard_wraps`.
    """
    read = FORMATS[file.ending].read_document
    if read is None:
        raise ValueError(f"{file.path} is a table")
    try:
        parsed = read(file, line_breaks)
    except (ValueError, *DAMAGED) as error:
        return _rejected(file, None, reason_of(error, file))
    if not parsed.blocks:
        return _rejected(file, 0, "no text")
    chunk = RowCheck(file, Columns(), of_lines=False).chunk([Row({"id": file.name, "text": parsed.text})], 0)
    return ReadDocument(chunk, parsed)


def _rejected(file: InputFile, row: int | None, reason: str) -> ReadDocument:
    return ReadDocument(chunk_of([], [Rejected(file.name, row, reason)]), ParsedText("", []))


def read_rows(file: InputFile, columns: Columns, options: TableOptions) -> Iterator[Chunk]:
    """Read a table, or the lines of a text file, in chunks of at most `options.batch_size` rows of the input.

    A row without an id gets its number. Unless the file is the whole input, the number follows the file's name, rows
    have a column `file`, and a file that cannot be read is rejected like a row.

    Raises:
        ClaimkindError: the file is the whole input and cannot be read, or has no such column.
    """
    of_lines = holds_documents(file)
    check = RowCheck(file, Columns() if of_lines else columns, of_lines)
    first = 0
    try:
        table = FORMATS[file.ending].read(file, dataclasses.replace(options, text_column=columns.text))
        if table.columns is not None:
            check_columns([*table.columns, *(set(file.partitions) - set(table.columns))], check.columns)
        for batch in table.batches:
            yield check.chunk(batch, first)
            first += len(batch)
    except (ValueError, csv.Error, *DAMAGED) as error:
        reason = reason_of(error, file)
        if file.alone:
            raise ClaimkindError(f"{file.path} {reason}") from None
        yield chunk_of([], [Rejected(file.name, None, reason)])


def reason_of(error: Exception, file: InputFile) -> str:
    """Why a file cannot be read, as the end of a sentence that begins with its path."""
    if isinstance(error, UnreadableError):
        return str(error)
    return f"cannot be read ({first_line(error)}), expected {file.ending}: check it"


def check_columns(found: Sequence[str], columns: Columns) -> None:
    """Refuse a table without the columns of text and id.

    Args:
        found: names of its columns.
        columns: those that hold the text and the id.

    Raises:
        UnreadableError: there is no such column, no header, or two columns have one name.
    """
    if not found:
        raise UnreadableError(f"has no header, expected one with the column {columns.text!r}: check it")
    missing = (
        ("text_column", columns.text, not is_among(columns.text, found)),
        ("id_column", columns.id, not columns.has_id(found)),
    )
    for setting, name, is_missing in missing:
        if is_missing:
            hint = ", or separator=… where this is several columns" if len(found) == 1 and name in found[0] else ""
            raise UnreadableError(
                f"has no column {name!r}, expected one of its columns {', '.join(found)}: give {setting}=…{hint}"
            )
    twice = [name for name, count in Counter(found).items() if count > 1]
    if twice:
        raise UnreadableError(f"has two columns {twice[0]!r}, expected different names: rename one")


def count_rows(file: InputFile) -> int:
    """About how many rows a file holds, for the time that is left; 0 where it cannot be read."""
    try:
        return FORMATS[file.ending].count(file)
    except (ValueError, *DAMAGED):  # reported where the rows are read
        return 0
