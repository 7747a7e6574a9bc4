"""Plain text: each line is a paragraph, or each paragraph of hard-wrapped text."""

import re

from claimkind.text.blocks import SENTENCE, Block, ParsedText, Piece
from claimkind.text.line_breaks import join_hard_wraps
from claimkind.text.shapes import with_kinds_by_shape
from claimkind.text.visible import is_blank

_LINE = re.compile(r"\S(?:[^\r\n\u2028\u2029]*\S)?")


def parse_plain(text: str, line_breaks: str = "auto") -> ParsedText:
    """Find the paragraphs of a plain text, and those that are headings by their shape.

    Args:
        text: any text.
        line_breaks: see `join_hard_wraps`.
    """
    joined = join_hard_wraps(text, line_breaks)
    blocks = [
        Block(SENTENCE, line.start(), line.end(), [Piece(line.start(), line.end(), line[0])])
        for line in _LINE.finditer(joined)
        if not is_blank(line[0])
    ]
    return ParsedText(text, with_kinds_by_shape(blocks), is_joined=joined != text)
