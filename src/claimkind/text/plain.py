"""Plain text and mail: each line is a paragraph, or each paragraph of hard-wrapped text."""

import re
from collections.abc import Iterator

from claimkind.text.blocks import SENTENCE, Block, ParsedText, Piece
from claimkind.text.line_breaks import QUOTE, join_hard_wraps
from claimkind.text.sentences import LINE
from claimkind.text.shapes import with_kinds_by_shape
from claimkind.text.visible import is_blank

_QUOTES = re.compile(rf"(?<![^\r\n]){QUOTE.pattern}")  # at the beginning of a line
_HYPHEN = r"(?<=[^\W\d_]-)\s+(?=[a-z])"
_RUN = re.compile(rf"{_HYPHEN}|\s{{2,}}")


def parse_plain(text: str, line_breaks: str = "auto") -> ParsedText:
    """Find the paragraphs of a plain text, and those that are headings by their shape.

    Args:
        text: any text.
        line_breaks: see `join_hard_wraps`.
    """
    joined = join_hard_wraps(text, line_breaks)
    seen = _QUOTES.sub(lambda mark: " " * len(mark[0]), joined) if ">" in joined else joined
    blocks = [
        Block(SENTENCE, line.start(), line.end(), list(_pieces(text, seen, line.start(), line.end())))
        for line in LINE.finditer(seen)
        if not is_blank(line[0])
    ]
    return ParsedText(text, with_kinds_by_shape(blocks), is_joined=joined != text)


def _pieces(text: str, seen: str, start: int, end: int) -> Iterator[Piece]:
    """The pieces of a paragraph.

    A line break within it, with the marks of a quotation behind it, is one blank; none behind a hyphen.
    """
    if text[start:end] != seen[start:end]:
        for run in _RUN.finditer(seen, start, end):
            if text[run.start() : run.end()] != run[0]:
                yield Piece(start, run.start(), seen[start : run.start()])
                if seen[run.start() - 1] != "-":
                    yield Piece(run.start(), run.end(), " ")
                start = run.end()
    yield Piece(start, end, seen[start:end])
