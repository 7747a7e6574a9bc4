"""Blocks of a document: paragraphs, headings, list items, table cells, code and boilerplate, and their sentences.

Markup is not part of a block's text, so each piece of it tells where in the document it stands.
"""

import bisect
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from claimkind.text.sentences import split_sentences
from claimkind.text.visible import is_blank

SENTENCE, HEADING, LIST_ITEM, TABLE, CODE, BOILERPLATE = (
    "sentence", "heading", "list_item", "table", "code", "boilerplate",
)  # fmt: skip
KINDS = (SENTENCE, HEADING, LIST_ITEM, TABLE, CODE, BOILERPLATE)
"""What a passage can be."""
_WHOLE = frozenset({HEADING, TABLE, CODE})  # one passage, whatever marks are in it


class Piece(NamedTuple):
    """Text that a reader sees, and the characters of the document that stand for it."""

    start: int
    end: int
    text: str
    """Equal to `document[start:end]`, or as long as one character of it: `&` for `&amp;`, a blank for many."""

    @property
    def is_verbatim(self) -> bool:
        """Whether each character stands for itself."""
        return self.end - self.start == len(self.text)


@dataclass(frozen=True)
class Block:
    """A part of a document with a kind."""

    kind: str
    """One of `KINDS`; `sentence` for a paragraph."""
    start: int
    """Where it begins in the document, with the markup directly before its text."""
    end: int
    pieces: Sequence[Piece]
    """In order; what stands between them in the document is markup."""
    begins_paragraph: bool = True
    """False for a table's cell after the first of a row."""
    linked: bool = False
    """Whether all of it is the text of links."""
    bold: bool = False
    """Whether all of it is bold."""

    @cached_property
    def text(self) -> str:
        """The text without markup."""
        return "".join(piece.text for piece in self.pieces)

    @cached_property
    def _ends(self) -> list[int]:
        return list(itertools.accumulate(len(piece.text) for piece in self.pieces))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where `text[start:end]` stands in the document, with the markup directly around it."""
        only = self.pieces[0]
        if len(self.pieces) == 1 and only.is_verbatim and (only.start, only.end) == (self.start, self.end):
            return only.start + start, only.start + end  # as in plain text, and fast
        return self._start_of(start), self._end_of(end)

    def _start_of(self, place: int) -> int:
        number = bisect.bisect_right(self._ends, place)
        piece = self.pieces[number]
        within = place - (self._ends[number] - len(piece.text))
        if within:
            return piece.start + within if piece.is_verbatim else piece.start
        return self.pieces[number - 1].end if number else self.start

    def _end_of(self, place: int) -> int:
        number = bisect.bisect_left(self._ends, place)
        piece = self.pieces[number]
        left = self._ends[number] - place
        if left:
            return piece.end - left if piece.is_verbatim else piece.end
        return self.pieces[number + 1].start if number + 1 < len(self.pieces) else self.end


class ParsedText(NamedTuple):
    """A document and its blocks."""

    text: str
    """The document; offsets count its characters."""
    blocks: Sequence[Block]
    is_joined: bool = False
    """Whether line breaks within its paragraphs are read as blanks, since it is hard-wrapped."""


class Passage(NamedTuple):
    """A sentence, or a heading, a table's cell and so on."""

    start: int
    end: int
    text: str
    """Without markup: `document[start:end]` where there is none in it."""
    kind: str
    """One of `KINDS`."""
    begins_paragraph: bool


@dataclass
class Draft:
    """A block while its pieces are read."""

    kind: str
    begins_paragraph: bool = True
    pieces: list[Piece] = field(default_factory=list)
    _extent: tuple[int, int] | None = None
    _linked: bool = True
    _bold: bool = True

    def add(self, piece: Piece, *, linked: bool = False, bold: bool = False) -> None:
        """Add a piece; blanks at the beginning, and after another blank, are left out."""
        self.cover(piece.start, piece.end)
        if piece.text.isspace():
            if self.kind == CODE or (self.pieces and not self.pieces[-1].text[-1:].isspace()):
                self.pieces.append(piece)
        elif piece.text:
            self.pieces.append(piece)
            self._linked &= linked
            self._bold &= bold

    def cover(self, start: int, end: int) -> None:
        """Count characters of markup to the block."""
        first, last = self._extent or (start, end)
        self._extent = (min(first, start), max(last, end))

    def block(self) -> Block | None:
        """The block; None where there is nothing to see in it."""
        if self._extent is None or is_blank("".join(piece.text for piece in self.pieces)):
            return None
        return Block(self.kind, *self._extent, self.pieces, self.begins_paragraph, self._linked, self._bold)


def passages(parsed: ParsedText) -> Iterator[Passage]:
    """The sentences of a document, and its other passages, in order.

    Paragraphs, list items and boilerplate are split into sentences, and a line break within them begins a paragraph.
    """
    for block in parsed.blocks:
        before = 0
        for start, end, text in _parts(block):
            if is_blank(text):
                continue
            begins = "\n" in block.text[before:start] if before else block.begins_paragraph
            yield Passage(*_trimmed(parsed.text, *block.span(start, end)), text, block.kind, begins)
            before = end


def _parts(block: Block) -> Iterator[tuple[int, int, str]]:
    if block.kind in _WHOLE:
        text = block.text.strip()
        start = block.text.find(text)
        yield start, start + len(text), text
    else:
        yield from split_sentences(block.text)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while end > start and text[end - 1].isspace():
        end -= 1
    while start < end and text[start].isspace():
        start += 1
    return start, end
