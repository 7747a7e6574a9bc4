"""HTML pages: what a reader sees, each piece with its place in the source.

The parser of the standard library is the only one that tells where a text begins in the source. It builds no tree, so
the elements around a text are kept in a stack, with the end tags that HTML lets authors leave out.
"""

import dataclasses
import html
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from html.parser import HTMLParser
from typing import NamedTuple

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
from claimkind.text.html_elements import (
    BLOCK_ELEMENTS,
    BOILERPLATE_ELEMENTS,
    BOILERPLATE_NAMES,
    BOILERPLATE_ROLES,
    HEADINGS,
    HIDDEN,
    VOID,
)
from claimkind.text.shapes import is_prose, with_kinds_by_shape

_Attributes = dict[str, str]

_KINDS = {
    **dict.fromkeys(HEADINGS, HEADING), **dict.fromkeys(("li", "dd", "dt"), LIST_ITEM),
    **dict.fromkeys(("td", "th"), TABLE), "pre": CODE,
}  # fmt: skip
_DIGIT = re.compile(r"\d")
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_CONTENT = frozenset({"html", "body", "main", "article"})  # whose class tells about the page
_SCOPES = ("main", "article")
# Which open elements a start tag ends, and up to which element around it.
_ENDED_BY = {
    "li": ({"li"}, {"ul", "ol", "menu"}), "dt": ({"dt", "dd"}, {"dl"}), "dd": ({"dt", "dd"}, {"dl"}),
    "tr": ({"tr", "td", "th"}, {"table"}), "td": ({"td", "th"}, {"table", "tr"}), "th": ({"td", "th"}, {"table", "tr"}),
    "tbody": ({"thead", "tbody", "tr", "td", "th"}, {"table"}), "option": ({"option"}, {"select"}),
}  # fmt: skip
_FEWEST_LEFT = 0.5  # share of a page's text that the names of classes must leave
_RUN = re.compile(r"\S+(?: \S+)*|\s+")
_MOST_UNCLOSED = 20
_NOTE_LINK = re.compile(r"(?:^|[\s#_-])(?:footnote|fn|noteref|cite_note|endnote)")
_NOTE = re.compile(r"\[[\w ]{1,25}\]|\w{1,3}|[*†‡§]")
_INVISIBLE = re.compile(r"display:\s*none|visibility:\s*hidden")


class _Element(NamedTuple):
    """An open element, with what it takes over from the elements around it."""

    tag: str
    kind: str = SENTENCE
    scope: str = ""
    """`main` or `article` where it lies within one."""
    hidden: bool = False
    linked: bool = False
    bold: bool = False
    table: int = 0
    """The number of the table around it, from 1."""


class _Found(NamedTuple):
    """A block and where it was found."""

    block: Block
    scope: str
    table: int


def parse_html(text: str, line_breaks: str = "auto") -> ParsedText:
    """Find the blocks of an HTML page.

    Args:
        text: the source of the page.
        line_breaks: without effect, since a line break in HTML is a blank.
    """
    return ParsedText(text, html_blocks(text, 0, len(text)))


def html_blocks(text: str, start: int, end: int) -> list[Block]:
    """The blocks of a piece of HTML within a text."""
    source = text[start:end]
    found = _Parser(source, start, use_names=True).blocks()
    if _sentence_characters(found) < _FEWEST_LEFT * sum(len(block.text) for block, _ in found if block.kind != CODE):
        # A name such as `newsletter` may be that of the element around the whole page.
        by_elements = _Parser(source, start, use_names=False).blocks()
        if _sentence_characters(found) < _FEWEST_LEFT * _sentence_characters(by_elements):
            found = by_elements
    return with_kinds_by_shape(_outside_content(found), unmarked=BOILERPLATE)


def _sentence_characters(found: Iterable[tuple[Block, str]]) -> int:
    return sum(len(block.text) for block, _ in found if block.kind == SENTENCE)


class _Parser(HTMLParser):
    """Makes blocks of tags and texts."""

    def __init__(self, source: str, offset: int, *, use_names: bool) -> None:
        """Read a source that begins at an offset.

        Args:
            source: the HTML.
            offset: where it begins in the document.
            use_names: whether classes and ids such as `byline` mark boilerplate.
        """
        super().__init__(convert_charrefs=False)
        self._use_names = use_names
        self._source, self._offset = source, offset
        self._lines = [0, *(match.end() for match in re.finditer("\n", source))]
        self._unclosed = 0
        self._stack = [_Element("")]
        self._draft: Draft | None = None
        self._lead: int | None = None
        """Where the tags directly before the next piece begin."""
        self._note: int | None = None
        """How many pieces the draft had before a superscript."""
        self._done: list[_Found] = []
        self._tables = 0
        self._layout: set[int] = set()
        """The tables that only arrange the page."""
        self._begins_paragraph = True

    def blocks(self) -> list[tuple[Block, str]]:
        """The blocks in their order, each with its scope."""
        self.feed(self._source)
        self.close()
        self._flush()
        layout = self._layout | _tables_of_prose(self._done)
        found = (
            (dataclasses.replace(block, kind=SENTENCE) if block.kind == TABLE and table in layout else block, scope)
            for block, scope, table in self._done
        )
        return sorted(found, key=lambda one: one[0].start)

    # HTMLParser looks for the end of each tag or comment up to the end of the page, and takes it for text if there is
    # none. Of a page with thousands that do not end, that takes hours.

    def _end_of(self, parse: Callable[[int], int], place: int) -> int:
        """Where markup ends that begins at a place, by a method of HTMLParser; -1 if it does not end."""
        if self._unclosed >= _MOST_UNCLOSED:
            return -1
        end = parse(place)
        self._unclosed += end < 0
        return end

    def parse_starttag(self, i: int) -> int:
        """See `_end_of`."""
        return self._end_of(super().parse_starttag, i)

    def parse_endtag(self, i: int) -> int:
        """See `_end_of`."""
        return self._end_of(super().parse_endtag, i)

    def parse_pi(self, i: int) -> int:
        """See `_end_of`."""
        return self._end_of(super().parse_pi, i)

    def parse_comment(self, i: int, report: bool = True) -> int:
        """See `_end_of`."""
        return self._end_of(lambda place: super(_Parser, self).parse_comment(place, report), i)

    def parse_html_declaration(self, i: int) -> int:
        """Read `<![…>` as a comment, as browsers do; the parser raises AssertionError for some of them."""
        is_section = self.rawdata.startswith("<![", i)
        return self._end_of(self.parse_bogus_comment if is_section else super().parse_html_declaration, i)

    def _place(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        attributes = {name: value or "" for name, value in attrs if self._use_names or name not in ("class", "id")}
        start, source = self._place(), self.get_starttag_text() or ""
        self._end_implied(tag)
        if tag in BLOCK_ELEMENTS or tag in ("br", "hr"):
            self._flush()
            self._begins_paragraph = tag not in ("td", "th") or self._begins_paragraph
        elif tag == "img":
            self._add_image(attributes.get("alt", ""), start, source)
        else:
            self._cover(start, start + len(source))
        if tag == "sup" or (tag == "a" and _NOTE_LINK.search(f"{attributes.get('class')} {attributes.get('href')}")):
            self._note = len(self._draft.pieces) if self._draft else 0
        if tag not in VOID:
            self._stack.append(_inner(self._stack[-1], tag, attributes, self._table_of(tag, attributes)))

    def _table_of(self, tag: str, attributes: _Attributes) -> int:
        """The number of the table around an element that begins, which may show that the table arranges the page."""
        outer = self._stack[-1].table
        if outer and (tag == "table" or (tag in HEADINGS and self._stack[-1].kind == TABLE)):
            self._layout.add(outer)
        if tag != "table":
            return outer
        self._tables += 1
        if attributes.get("role") in ("presentation", "none"):
            self._layout.add(self._tables)
        return self._tables

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Treat `<p/>` as browsers do: as a start tag."""
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """Close an element, and those in it that were left open."""
        start = self._place()
        end = self._source.find(">", start) + 1 or len(self._source)
        if tag in BLOCK_ELEMENTS:
            self._flush()
            self._begins_paragraph = tag not in ("td", "th")
        else:
            self._cover(start, end)
        if tag in ("sup", "a"):
            self._drop_note()
        self._pop(tag)

    def handle_data(self, data: str) -> None:
        """Add text, in which any run of blanks is one."""
        start = self._place()
        if self._stack[-1].kind == CODE:
            self._add(data, start, start + len(data))
            return
        for run in _RUN.finditer(data):
            self._add(" " if run[0].isspace() else run[0], start + run.start(), start + run.end())

    def handle_entityref(self, name: str) -> None:
        """Add the character of `&name;`."""
        self._add_reference(1 + len(name))

    def handle_charref(self, name: str) -> None:
        """Add the character of `&#name;`."""
        self._add_reference(2 + len(name))

    def _add_reference(self, length: int) -> None:
        start = self._place()
        end = start + length + (self._source[start + length : start + length + 1] == ";")
        text = html.unescape(self._source[start:end])
        self._add(" " if text.isspace() else text, start, end)

    def _add(self, text: str, start: int, end: int) -> None:
        element = self._stack[-1]
        if element.hidden or (self._draft is None and text.isspace()):
            return
        if self._draft and self._draft.kind != element.kind and self._draft.kind in (BOILERPLATE, HEADING):
            self._flush()  # a date before a text, or a link to edit behind a heading
        if self._draft is None:
            if text.isspace():
                return
            self._draft = Draft(element.kind, self._begins_paragraph)
            if self._lead is not None:
                self._draft.cover(self._offset + self._lead, self._offset + start)
        piece = Piece(self._offset + start, self._offset + end, text)
        self._draft.add(piece, linked=element.linked, bold=element.bold)

    def _cover(self, start: int, end: int) -> None:
        if self._draft and not self._stack[-1].hidden:
            self._draft.cover(self._offset + start, self._offset + end)
        elif self._source.startswith("</", start):
            self._lead = None
        elif self._lead is None:
            self._lead = start

    def _add_image(self, alt: str, start: int, source: str) -> None:
        place = source.find(alt)
        if self._stack[-1].hidden or not alt:
            return
        first, last = (start + place, start + place + len(alt)) if place >= 0 else (start, start + len(source))
        draft = Draft(BOILERPLATE)
        draft.add(Piece(self._offset + first, self._offset + last, alt))
        block = draft.block()
        if block:
            self._done.append(_Found(block, self._stack[-1].scope, self._stack[-1].table))

    def _drop_note(self) -> None:
        """Leave out a superscript that refers to a note: `[1]`, or a link."""
        if self._draft and self._note is not None:
            note = "".join(piece.text for piece in self._draft.pieces[self._note :])
            if _NOTE.fullmatch(note) and (note.startswith("[") or self._refers):
                del self._draft.pieces[self._note :]
        self._note = None

    @property
    def _refers(self) -> bool:
        start = max(self._source.rfind(tag, 0, self._place()) for tag in ("<sup", "<a"))
        return "<a" in self._source[start : self._place()]

    def _end_implied(self, tag: str) -> None:
        if tag in BLOCK_ELEMENTS and self._stack[-1].tag == "p":
            self._pop("p")
        if tag not in _ENDED_BY:
            return
        ended, limits = _ENDED_BY[tag]
        for number in range(len(self._stack) - 1, 0, -1):
            if self._stack[number].tag in limits:
                return
            if self._stack[number].tag in ended:
                self._flush()
                del self._stack[number:]

    def _pop(self, tag: str) -> None:
        for number in range(len(self._stack) - 1, 0, -1):
            if self._stack[number].tag == tag:
                del self._stack[number:]
                return
            if tag not in BLOCK_ELEMENTS and self._stack[number].tag in BLOCK_ELEMENTS:
                return  # a stray end tag must not end the paragraph

    def _flush(self) -> None:
        block = self._draft.block() if self._draft else None
        if block:
            self._done.append(_Found(block, self._stack[-1].scope, self._stack[-1].table))
        self._draft = self._note = self._lead = None


def _inner(outer: _Element, tag: str, attributes: _Attributes, table: int) -> _Element:
    """An element within another, and within the table of a number."""
    role = attributes.get("role", "")
    is_boilerplate = outer.kind == BOILERPLATE or _is_boilerplate(tag, attributes, outer)
    return _Element(
        tag,
        kind=BOILERPLATE if is_boilerplate else _KINDS.get(tag, outer.kind),
        scope=tag if tag in _SCOPES else "main" if role == "main" else outer.scope,
        hidden=outer.hidden or tag in HIDDEN or _is_hidden(attributes),
        linked=outer.linked or tag == "a",
        bold=outer.bold or tag in ("b", "strong"),
        table=table,
    )


def _is_boilerplate(tag: str, attributes: _Attributes, outer: _Element) -> bool:
    role = attributes.get("role", "")
    names = f"{attributes.get('class', '')} {attributes.get('id', '')}".split()
    if tag in BOILERPLATE_ELEMENTS or role in BOILERPLATE_ROLES or (tag == "header" and not outer.scope):
        return True
    return tag not in _CONTENT and any(map(_names_boilerplate, names))


def _names_boilerplate(name: str) -> bool:
    parts = (part for part in re.split("[-_]", name) if not _DIGIT.search(part))  # a digest: `css-19ad`
    words = [word.lower() for part in parts for word in _WORDS.findall(part)]
    return bool(words) and (words[0] in BOILERPLATE_NAMES or words[-1] in BOILERPLATE_NAMES)


def _is_hidden(attributes: _Attributes) -> bool:
    is_invisible = _INVISIBLE.search(attributes.get("style", "").lower()) is not None
    return "hidden" in attributes or attributes.get("aria-hidden") == "true" or is_invisible


def _tables_of_prose(found: Iterable[_Found]) -> set[int]:
    """The tables in whose cells most of the text is whole sentences."""
    cells = defaultdict(list)
    for block, _, table in found:
        if block.kind == TABLE:
            cells[table].append(block.text)
    return {table for table, texts in cells.items() if is_prose(texts)}


def _outside_content(found: Iterable[tuple[Block, str]]) -> list[Block]:
    """Take what lies outside the page's main part for boilerplate, where it has one that holds most of the text."""
    lengths = {scope: 0 for scope in ("", *_SCOPES)}
    for block, scope in found:
        lengths[scope] += len(block.text) if block.kind == SENTENCE else 0
    has_content = sum(lengths[scope] for scope in _SCOPES) > lengths[""]
    return [
        dataclasses.replace(block, kind=BOILERPLATE)
        if has_content and not scope and block.kind in (SENTENCE, LIST_ITEM)
        else block
        for block, scope in found
    ]
