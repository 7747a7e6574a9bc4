"""Hard-wrapped text: lines that were cut at a width, as in mail, PDF and much Markdown.

A line break within a paragraph of such a text is a blank. In a file with a sentence or a paragraph on each line, it is
an end. The shape of the text tells one from the other: lines of prose that was cut at a width are nearly as long as the
width allows, and most of them end within a sentence, before a word in lower case.
"""

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
_END = re.compile(r"[.!?…:;][\"”’»)\]*_]*\s*$")
# Lines of Markdown that stand for themselves: headings, items of lists, quotations, tables, fences of code, rules.
_BLOCK = re.compile(r"\s*(?:[-*+•|>#]|\d{1,3}[.)]\s|```|~~~|[=_]{3,}\s*$)")
QUOTE = re.compile(r"[ \t]*(?:>[ \t]?)+(?!\d)")
"""What begins a line that a mail or Markdown quotes."""
_HEADER = re.compile(r"(?:From|To|Cc|Bcc|Sent|Date|Subject|Reply-To|[A-Z][a-z]+-[A-Z][\w-]+):\s")  # of a mail
_WIDTHS = range(30, 141)  # characters
_NEARLY = 0.85  # of the width, from which on a line is full
_FEWEST_WORDS = 4  # of a line on average: shorter lines are lists
_LONG = 0.7  # of the width, from which on a line is no heading
_MOST = 0.9  # share of the lines that are no longer than the width
_UNFINISHED = 0.5  # share of the breaks that lie within a sentence
_FULL = 0.6  # share of the breaks after a full line
_LOWER = 0.4  # share of the breaks before a word in lower case


def is_unfinished(line: str) -> bool:
    """Whether a line ends within a sentence, as far as its last characters tell."""
    return _END.search(line) is None and not line.rstrip().endswith(",")


def line_ends(lines: Sequence[str]) -> list[str]:
    """What to put between lines that were cut at a width, as in PDF: a blank within a paragraph, else a line break.

    A paragraph goes on after a line that ends within a sentence, if the next begins in lower case. Where that is so of
    some lines, it goes on after the other long ones too: a heading, or the name of an author, is short.

    Returns:
        One string fewer than there are lines.
    """
    pairs = list(itertools.pairwise(lines))
    goes_on = [is_unfinished(line) and following.lstrip()[:1].islower() for line, following in pairs]
    if any(goes_on):
        width = sorted(map(len, lines))[math.ceil(_MOST * (len(lines) - 1))]
        is_long = [is_unfinished(line) and len(line) >= _LONG * width for line, _ in pairs]
        goes_on = [on or long for on, long in zip(goes_on, is_long, strict=True)]
    return [" " if on else "\n" for on in goes_on]


class _Line(NamedTuple):
    """A line of a text, without its end and the marks of a quotation."""

    start: int
    text: str
    depth: int
    """How many marks of a quotation are before it."""

    @property
    def end(self) -> int:
        return self.start + len(self.text)


class _Break(NamedTuple):
    """A single line break between two lines of a paragraph."""

    start: int
    end: int
    line: str
    following: str

    def is_full(self, width: int) -> bool:
        """Whether the next word did not fit on the line."""
        return len(self.line.rstrip()) + 1 + len(self.following.split()[0]) > _NEARLY * width

    @property
    def is_before_lower_case(self) -> bool:
        """Whether the next line begins with a letter in lower case."""
        return self.following.lstrip()[:1].islower()


def join_hard_wraps(text: str, mode: str) -> str:
    """Replace line breaks within paragraphs by blanks, of the same length so that offsets stay.

    Args:
        text: any text.
        mode: `keep` replaces none, `join` all; `auto` those that a width made, if the text is hard-wrapped.

    Returns:
        The text itself where no line break is replaced.
    """
    breaks = [] if mode == "keep" else list(_breaks(text))
    if mode == "auto":
        width = _width(breaks)
        breaks = [one for one in breaks if width and (one.is_full(width) or one.is_before_lower_case)]
    if not breaks:
        return text
    pieces, done = [], 0
    for one in breaks:
        pieces += [text[done : one.start], " " * (one.end - one.start)]
        done = one.end
    return "".join([*pieces, text[done:]])


def _breaks(text: str) -> Iterator[_Break]:
    for here, there in itertools.pairwise(_lines(text)):
        blank = not here.text.strip() or not there.text.strip()
        if not blank and here.depth == there.depth and not _stands_alone(here.text) and not _begins(there.text):
            yield _Break(here.end, there.start, here.text, there.text)


def _lines(text: str) -> Iterator[_Line]:
    for match in _LINE.finditer(text):
        if match[0]:
            line = match[0].rstrip("\r\n")
            quote = QUOTE.match(line)
            mark = quote[0] if quote else ""
            yield _Line(match.start() + len(mark), line[len(mark) :], mark.count(">"))


def _begins(line: str) -> bool:
    """Whether a line never goes on with the one before it."""
    return bool(_BLOCK.match(line) or _HEADER.match(line))


def _stands_alone(line: str) -> bool:
    """Whether no other line goes on with this one: a heading, a row of a table, a fence, a line break of Markdown."""
    if _HEADER.match(line):
        return True
    return line.endswith("  ") or (bool(_BLOCK.match(line)) and line.lstrip()[:1] in "#|`~=_")


def _width(breaks: list[_Break]) -> int:
    """The width at which the lines of a text were cut; 0 if they were not."""
    if not breaks:
        return 0
    lengths = sorted(max(len(one.line.rstrip()), len(one.following.rstrip())) for one in breaks)
    width = lengths[int(0.95 * (len(lengths) - 1))]  # a long address does not count
    shares = {
        _UNFINISHED: sum(not _END.search(one.line) for one in breaks),
        _FULL: sum(one.is_full(width) for one in breaks),
        _LOWER: sum(one.is_before_lower_case for one in breaks),
    }
    words = sum(len(one.line.split()) for one in breaks) / len(breaks)
    is_prose = words >= _FEWEST_WORDS and all(count >= least * len(breaks) for least, count in shares.items())
    return width if is_prose and width in _WIDTHS else 0
