"""Splitting a text into sentences, each with its place in the text.

One regular expression finds the marks that may end a sentence; `claimkind.text.boundaries` decides on each of them.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from claimkind.text.abbreviations import ABBREVIATIONS
from claimkind.text.boundaries import CLOSERS, OPENERS, Candidate, ends_sentence

_LINE = re.compile(r"\S(?:[^\r\n\u2028\u2029]*\S)?")
_MARK = re.compile(
    r"""
    [.!?…]
    (?:
        (?<=[a-z]{2}\.)\ (?=[A-Z])()                # plain: a word in lower case, a full stop, a blank, a capital
    |
        (?<![.!?…]{2})                              # only from the first mark of a row: else long rows take long
        [.!?…]*+
        (?P<closers>[CLOSERS]*+)
        (?:
            \s?\[(?:\d[\d ,–-]*|\w[\w ]{0,25})\](?![(\w])    # references: [12], [citation needed]
          | [¹²³⁰-⁹†‡]
          | \s[\])}”’»](?=\s)                       # a closing mark that stands alone
          | \s?(?:[\u2600-\u27bf\U0001f000-\U0001faff]|[:;]-?[()DP](?=\s))[\ufe0f\u200d]*     # emoji
        )*+
        (?P<blank>\s++)
    )
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
        for line in _LINE.finditer(text)
        for start, end in _spans(text, line.start(), line.end())
    ]


def _spans(text: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Spans of the sentences of a line."""
    aside = _Aside(text, start) if text.find("(", start, stop) >= 0 or text.find("[", start, stop) >= 0 else None
    for mark in _MARK.finditer(text, start, stop):
        if aside and aside.holds(mark.start(), start):
            continue
        if mark.lastindex == 1 and _is_plain_word(text, start, mark.start()):
            yield start, mark.end() - 1
        elif _ends(text, start, mark):
            yield start, mark.start("blank") if mark.lastindex != 1 else mark.end() - 1
        else:
            continue
        start = mark.end()
    yield start, stop


def _is_plain_word(text: str, start: int, stop: int) -> bool:
    """Whether the word before a full stop is no abbreviation, nor the first of its sentence."""
    parts = text[max(start, stop - _NEAR) : stop].rsplit(None, 1)
    return len(parts) > 1 and parts[1].isalpha() and parts[1].lower() not in ABBREVIATIONS


def _ends(text: str, start: int, mark: re.Match[str]) -> bool:
    place, end = mark.span()
    near = max(start, place - _NEAR)
    closers = mark["closers"] or ""
    marks = text[place : mark.start("closers")] if mark.lastindex != 1 else "."
    return ends_sentence(Candidate(text[near:place], marks, closers, text[end : end + _NEAR], near == start))


class _Aside:
    """Brackets that are open within a sentence: what they hold does not end it."""

    def __init__(self, text: str, start: int) -> None:
        self._text, self._read = text, start
        self._open: list[int] = []

    def holds(self, place: int, start: int) -> bool:
        """Whether a place lies in a bracket that was opened within the sentence that begins at `start`.

        Places must ascend: each character is read once.
        """
        for bracket in _BRACKET.finditer(self._text, self._read, place):
            if bracket[0] in "([":
                self._open.append(bracket.start())
            elif self._open:
                self._open.pop()
        self._read = place
        while self._open and (self._open[0] < start or place - self._open[0] > _LONGEST_ASIDE):
            del self._open[0]
        return bool(self._open) and self._text[start : self._open[0]].strip(OPENERS + " ") != ""
