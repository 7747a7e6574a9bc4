"""Text, Markdown and HTML files: one text, or a text a line."""

import itertools
from collections.abc import Callable, Iterator

from claimkind.io.base import Format, Row, Table, TableOptions, UnreadableError
from claimkind.io.encodings import encoding_of
from claimkind.io.input_file import InputFile
from claimkind.io.lines import LONG_LINE, LONGEST_TEXT, batches, open_lines
from claimkind.text.blocks import ParsedText
from claimkind.text.front_matter import FENCES, split_front_matter
from claimkind.text.html import parse_html
from claimkind.text.markdown import parse_markdown
from claimkind.text.plain import parse_plain

_LONGEST_FRONT_MATTER = 200  # lines
_MOST_BYTES = 4  # of a character in UTF-8


def document_reader(parse: Callable[[str, str], ParsedText]) -> Callable[[InputFile, str], ParsedText]:
    """A reader of files as one text, without their front matter.

    Args:
        parse: finds the blocks of a text; its second argument is that of `join_hard_wraps`.

    Returns:
        A function for `Format.read_document`. It raises ValueError where the file is too long, or in an unknown
        encoding.
    """
    return lambda file, line_breaks: parse(split_front_matter(_decoded(file))[0], line_breaks)


def _decoded(file: InputFile) -> str:
    encoding = encoding_of(file)
    with file.open() as stream:
        data = stream.read(_MOST_BYTES * LONGEST_TEXT + 1)
    if len(data) > _MOST_BYTES * LONGEST_TEXT:
        raise UnreadableError(f"longer than {LONGEST_TEXT:,} characters: split it into several")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise UnreadableError(f"no valid {encoding}") from None


def read(file: InputFile, options: TableOptions) -> Table:
    """Read each line below the front matter that is not blank as a row; its id is its line number, from 1."""
    return Table(("id", "text"), _rows(file, encoding_of(file), options.batch_size))


def _rows(file: InputFile, encoding: str, size: int) -> Iterator[list[Row]]:
    with open_lines(file, encoding) as lines:
        rows = (
            Row({"id": str(number), "text": line.rstrip("\r\n")} if line else {}, "" if line else LONG_LINE, number)
            for number, line in _below_front_matter(enumerate(lines, start=1))
            if line is None or line.strip()
        )
        yield from batches(rows, size, lines)


def _below_front_matter(lines: Iterator[tuple[int, str | None]]) -> Iterator[tuple[int, str | None]]:
    head = list(itertools.islice(lines, 1))
    if head and (head[0][1] or "").rstrip() in FENCES:
        head += itertools.islice(lines, _LONGEST_FRONT_MATTER)
        text = "".join(line or "" for _, line in head)
        left = len(split_front_matter(text)[0])
        while head and sum(len(line or "") for _, line in head) > left:
            head.pop(0)
    yield from itertools.chain(head, lines)


def block_reader(
    read_document: Callable[[InputFile, str], ParsedText],
) -> Callable[[InputFile, TableOptions], Table]:
    """A reader of files whose lines are no lines of their text: each block is a row; its id is its number, from 0."""

    def read_blocks(file: InputFile, options: TableOptions) -> Table:
        blocks = read_document(file, "auto").blocks
        rows = [Row({"id": str(number), "text": block.text.strip()}) for number, block in enumerate(blocks)]
        size = options.batch_size
        return Table(("id", "text"), (rows[first : first + size] for first in range(0, len(rows), size)))

    return read_blocks


_read_page = document_reader(parse_html)
TEXT = Format(read, read_document=document_reader(parse_plain))
MARKDOWN = Format(read, read_document=document_reader(parse_markdown))
HTML = Format(block_reader(_read_page), read_document=_read_page)
