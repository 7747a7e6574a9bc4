"""Markdown: CommonMark with tables, footnotes, task lists and strikethrough."""

import dataclasses
import functools
import operator
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyromark

from claimkind.text.blocks import (
    BOILERPLATE,
    CODE,
    HEADING,
    LIST_ITEM,
    SENTENCE,
    TABLE,
    Block,
    Draft,
    ParsedText,
    Piece,
)
from claimkind.text.html import html_blocks
from claimkind.text.line_breaks import join_hard_wraps, line_ends
from claimkind.text.shapes import with_kinds_by_shape

_OPTIONS = functools.reduce(
    operator.or_,
    (
        pyromark.Options.ENABLE_TABLES,
        pyromark.Options.ENABLE_FOOTNOTES,
        pyromark.Options.ENABLE_TASKLISTS,
        pyromark.Options.ENABLE_STRIKETHROUGH,
    ),
)
_BLOCKS = {
    "Paragraph": SENTENCE, "Heading": HEADING, "Item": LIST_ITEM, "TableCell": TABLE, "CodeBlock": CODE,
    "FootnoteDefinition": BOILERPLATE,
}  # fmt: skip
_INLINE = frozenset({"Emphasis", "Strong", "Strikethrough", "Link"})


def parse_markdown(text: str, line_breaks: str = "auto") -> ParsedText:
    """Find the blocks of a Markdown document.

    Args:
        text: the document, without its front matter.
        line_breaks: see `join_hard_wraps`.
    """
    joined = join_hard_wraps(text, line_breaks)
    blocks = _Reader(text, joined).blocks()
    if line_breaks == "auto":
        blocks = list(map(_with_lines_joined, blocks))
    pieces = (piece for block in blocks for piece in block.pieces)
    is_joined = any(piece.text == " " and text[piece.start] in "\r\n" for piece in pieces)
    return ParsedText(text, with_kinds_by_shape(blocks), is_joined)


def _with_lines_joined(block: Block) -> Block:
    """Read line breaks as blanks, as Markdown does, where a line ends within a sentence and is no heading."""
    lines = block.text.split("\n")
    if block.kind == CODE or len(lines) == 1:
        return block
    ends = iter(line_ends(lines))
    pieces = [piece._replace(text=next(ends)) if piece.text == "\n" else piece for piece in block.pieces]
    return dataclasses.replace(block, pieces=pieces)


class _Reader:
    """Makes blocks of the parser's events, each of which has its place in the document."""

    def __init__(self, text: str, joined: str) -> None:
        self._text, self._joined = text, joined
        self._around: Counter[str] = Counter()
        """How many elements of each name are around the next event."""
        self._draft: Draft | None = None
        self._done: list[Block] = []
        self._image: Draft | None = None
        self._break: tuple[int, str] | None = None
        """Where the line break before the next piece begins, and what it is read as."""
        self._html: tuple[int, int] | None = None
        self._first_cell = True

    def blocks(self) -> list[Block]:
        """The blocks in their order."""
        for event, start, end in _events(self._text):
            name, value = next(iter(event.items())) if isinstance(event, dict) else (event, None)
            if name == "Start":
                self._begin(_name_of(value), start, end)
            elif name == "End":
                self._end(_name_of(value), end)
            else:
                self._inline(name, value, start, end)
        self._flush()
        return sorted(self._done, key=lambda block: block.start)

    def _begin(self, name: str, start: int, end: int) -> None:
        if name == "Image":
            self._image = Draft(BOILERPLATE)
        elif name in _INLINE:
            self._resume(start)
            if self._draft and not self._image:
                self._draft.cover(start, end)
        else:
            self._flush()
            if name in _BLOCKS:
                self._draft = Draft(self._kind(name), name != "TableCell" or self._first_cell)
            self._first_cell = name in ("TableHead", "TableRow")
        self._around[name] += 1

    def _kind(self, name: str) -> str:
        if self._around["FootnoteDefinition"]:
            return BOILERPLATE
        return LIST_ITEM if self._around["Item"] and name == "Paragraph" else _BLOCKS[name]

    def _end(self, name: str, end: int) -> None:
        self._around[name] -= 1
        if name == "Image":
            self._close_image(end)
        elif name not in _INLINE:
            self._flush()
            if self._around["Item"] or self._around["FootnoteDefinition"]:
                self._draft = Draft(self._kind("Item"))

    def _close_image(self, end: int) -> None:
        block = self._image.block() if self._image else None
        self._image = None
        if block:
            self._done.append(block)

    def _inline(self, name: str, value: Any, start: int, end: int) -> None:
        if name in ("SoftBreak", "HardBreak"):
            read = self._joined[start] if name == "SoftBreak" else "\n"
            self._break = (start, " " if read == " " else "\n")
        elif name in ("Html", "InlineHtml"):
            self._html_piece(name, value, start, end)
        elif name in ("Text", "Code", "InlineMath", "DisplayMath"):
            self._resume(start)
            self._add(value, start, end)

    def _resume(self, start: int) -> None:
        """Add the line break before a piece, with what begins the next line: `> ` of a quotation, for example."""
        if self._break and self._draft and not self._image:
            self._draft.add(Piece(self._break[0], start, self._break[1]))
        self._break = None

    def _add(self, text: str, start: int, end: int) -> None:
        draft = self._image or self._draft
        if draft is None:
            return
        draft.cover(start, end)
        place = self._text.find(text, start, end)
        piece = Piece(start, end, text) if place < 0 else Piece(place, place + len(text), text)
        draft.add(piece, linked=self._around["Link"] > 0, bold=self._around["Strong"] > 0)

    def _html_piece(self, name: str, value: str, start: int, end: int) -> None:
        if name == "Html":
            self._html = (self._html[0] if self._html else start, end)
        elif value.lower().startswith("<br"):
            self._break = (start, "\n")
        elif self._draft:
            self._draft.cover(start, end)

    def _flush(self) -> None:
        if self._html:
            self._done += html_blocks(self._text, *self._html)
        block = self._draft.block() if self._draft else None
        if block:
            self._done.append(block)
        self._draft = self._html = self._break = None


def _events(text: str) -> Iterator[tuple[Any, int, int]]:
    """Events with their place in characters; the parser counts bytes."""
    places = None if text.isascii() else _places(text)
    for event, span in pyromark.events_with_range(text, options=_OPTIONS):
        start, end = span["start"], span["end"]
        yield (event, places[start], places[end]) if places else (event, start, end)


def _places(text: str) -> list[int]:
    """By byte of the text in UTF-8, the number of the character that it belongs to."""
    places = [number for number, character in enumerate(text) for _ in character.encode()]
    return [*places, len(text)]


def _name_of(tag: Any) -> str:
    return next(iter(tag)) if isinstance(tag, dict) else str(tag)
