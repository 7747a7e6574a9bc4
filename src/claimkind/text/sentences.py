"""Splitting a text into sentences, each with its place in the text.

One regular expression finds the marks that may end a sentence; `claimkind.text.boundaries` decides on each of them.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from claimkind.text.abbreviations import ABBREVIATIONS
from claimkind.text.boundaries import CLOSERS, OPENERS, Candidate, ends_sentence

LINE = re.compile(r"\S(?:[^\r\n\u2028\u2029]*\S)?")
"""A line of a text without the blanks around it; a blank line has none."""
_MARK = re.compile(
    r"""
    (?P<marks> [.!?…] (?<![.!?…]{2}) [.!?…]*+ )  # a whole row, or long rows would take quadratic time
    (?P<closers> [CLOSERS]*+ )
    (?P<references> (?:
        \s?\[(?:\d[\d\ ,–-]{0,25}|citation\ needed)\](?::\ ?\d[\d,–-]{0,20})?(?![(\w])
      | \[\w[\w\ –-]{0,25}\??\](?![(\w])         # [note 1], [dubious – discuss]
      | \[@[^\]\n]{1,40}\]                         # a citation in Markdown
      | </\w{1,10}>
      | [\x00-\x08\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]  # invisible
      | [¹²³⁰-⁹†‡]
      | (?<=[a-z]{4}\.)\d{1,2}(?=\s)            # a note: "innovation.23 It"
      | \s[\])}”’»](?=\s)                      # a closing mark that stands alone
      | # emoji
        \s?(?:[\u2600-\u2767\u2b50\U0001f000-\U0001faff]|[:;]-?[()DP](?=\s))[\ufe0f\u200d]*+
    )*+ )
    (?P<blank> \s++ )
    """.replace("CLOSERS", re.escape(CLOSERS)),
    re.VERBOSE,
)
_BRACKET = re.compile(r"(?<![:;=-])[(\[]|[)\]]")
_NEAR = 100
_LONGEST_ASIDE = 1000


class Sentence(NamedTuple):
    """A sentence and its place: `text[start:end]` of the text that it was split from."""

    start: int
    end: int
    text: str


def split_sentences(text: str) -> list[Sentence]:
    """Split a text into sentences; a line break always ends one.

    Args:
        text: any text; offsets count its characters from 0.

    Returns:
        The sentences in order, without the blanks between them; every non-blank character lies in exactly one.
    """
    return [
        Sentence(start, end, text[start:end])
        for line in LINE.finditer(text)
        for start, end in _spans(text, line.start(), line.end())
    ]


def _spans(text: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Spans of the sentences of a line."""
    asides = _asides(text, start, stop)
    for mark in _MARK.finditer(text, start, stop):
        while asides and asides[-1][1] <= mark.start("blank"):
            asides.pop()
        if asides and asides[-1][0] < mark.start() and _follows_words(text, start, asides[-1][0]):
            continue
        if _ends_plainly(text, start, mark) or _ends(text, start, mark):
            yield start, mark.start("blank")
            start = mark.end()
    yield start, stop


def _asides(text: str, start: int, stop: int) -> list[tuple[int, int]]:
    """Spans of brackets, the last first, without those within others; a very long one counts as never closed."""
    if text.find("(", start, stop) < 0 and text.find("[", start, stop) < 0:
        return []
    spans: list[tuple[int, int]] = []
    opened = []
    for bracket in _BRACKET.finditer(text, start, stop):
        if bracket[0] in "([":
            opened.append(bracket.start())
        elif opened and bracket.end() - opened[-1] > _LONGEST_ASIDE:
            opened.clear()
        elif opened:
            first = opened.pop()
            while spans and spans[-1][0] > first:
                spans.pop()
            spans.append((first, bracket.end()))
    return spans[::-1]


def _follows_words(text: str, start: int, bracket: int) -> bool:
    """Whether a bracket opens within the sentence that begins at `start`, and not as its first mark."""
    return text[max(start, bracket - _NEAR) : bracket].strip(OPENERS + " ") != ""


def _ends_plainly(text: str, start: int, mark: re.Match[str]) -> bool:
    """Whether a mark is a full stop between a word that is no abbreviation and a capital; the usual case, and fast."""
    place, end = mark.span()
    if text[place] != "." or mark.start("blank") > place + 1 or not text[end].isupper():
        return False
    parts = text[max(start, place - _NEAR) : place].rsplit(None, 1)
    if len(parts) < 2 or len(parts[1]) < 2 or not parts[1].isalpha():
        return False
    return not parts[1].isupper() and parts[1].lower() not in ABBREVIATIONS  # "Part II. The Rise"


def _ends(text: str, start: int, mark: re.Match[str]) -> bool:
    near, end = max(start, mark.start() - _NEAR), mark.end()
    before, after = text[near : mark.start()], text[end : end + _NEAR]
    return ends_sentence(Candidate(before, mark["marks"], mark["closers"], after, whole=near == start))
