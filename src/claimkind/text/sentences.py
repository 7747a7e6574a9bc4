"""Splitting a text into sentences, each with its place in the text.

`sentencex` finds the boundaries of plain prose. It keeps a whole quotation or bracket as one sentence and lets an
ellipsis swallow the next one, so segments that hold such marks are split again by `_inner_boundaries`; and it parts a
quoted question from its speaker (*"Why now?" Smith asked.*), which `_continues` joins again.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sentencex import get_sentence_boundaries

_OPENERS = "\"“‘'«(["
_CLOSERS = "\"”’'»)]"
_LINE = re.compile(r"[^\r\n\u2028\u2029]+")
_NEEDS_RESPLIT = re.compile(r"[“”\"‘’«»…()\[\]]|\.\.\.|[!?]{2}")
_BOUNDARY = re.compile(rf"(?<![.!?…])[.!?…]++[{re.escape(_CLOSERS)}]*\s+(?=[–—-]?\s?[{re.escape(_OPENERS)}]*[A-Z0-9])")
_TITLE = re.compile(
    rf"(?:^|[\s{re.escape(_OPENERS)}])"
    r"(?:Mr|Mrs|Ms|Mx|Dr|Prof|Gov|Sen|Rep|Gen|Col|Maj|Capt|Lt|Sgt|Cpl|Hon|Rev|Fr|St|Sr|Jr|Messrs|Pres|Supt|Insp|Adm"
    r"|vs|v|cf|al|e\.g|i\.e|viz|ca|approx|No|Nos|Fig|Figs|Eq|Vol|Ch|Sec|Art|pp?|Inc|Co|Corp|Ltd|Bros|Mt|Ft"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|[A-Z]|(?:[A-Za-z]\.)+[A-Za-z])\.$"
)
_COURTESY = re.compile(r"(?:^|\W)(?:Mr|Mrs|Ms|Mx|Dr|Prof|Messrs|Rev|Capt|Lt|Sgt|Gov|Sen|Rep|Gen|Col)\.$")
_SPEECH_VERB = (
    r"(?:said|says|asked|asks|wrote|writes|told|tells|added|adds|replied|shouted|cried|wondered|answered|insisted"
    r"|demanded|noted|whispered|warned|joked|recalled|argued|yelled|exclaimed|sighed)"
)
_SPEAKER_TAG = re.compile(rf"(?:(?:[A-Z][\w.’'-]*|the|[a-z]+)\s+){{1,4}}{_SPEECH_VERB}\b|{_SPEECH_VERB}\s+[A-Z]")
_ENDS_IN_QUOTED_EXCLAMATION = re.compile(r"[!?…][\"”’»]\s*$")
_FOREIGN_BLANK = re.compile(r"[^\S\x00-\x7f]")
# Characters on either side of a boundary that decide on it: a long line must not cost its square.
_NEAR = 100
_ASIDE = 1000


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


def _spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    cuts = [start]
    for segment in _segments(text[start:end]):
        cuts.extend(start + cut for cut in segment)
    for left, right in zip(cuts, [*cuts[1:], end], strict=True):
        piece = text[left:right]
        if piece.strip():
            yield left + len(piece) - len(piece.lstrip()), left + len(piece.rstrip())


def _segments(line: str) -> Iterable[list[int]]:
    """For each segment that sentencex finds: where sentences begin in it, its own start included if one does."""
    # sentencex cuts through a no-break space and the like behind a single letter, and dies of it.
    for boundary in get_sentence_boundaries("en", _FOREIGN_BLANK.sub(" ", line)):
        start, end = boundary["start_index"], boundary["end_index"]
        own = [start] if start and not _continues(line[max(0, start - _NEAR) : start], line[start:end]) else []
        yield own + [start + cut for cut in _inner_boundaries(line[start:end])]


def _continues(before: str, after: str) -> bool:
    """Whether a segment goes on with the sentence before it: a name after *Ms.*, a speaker tag, a lower-case word."""
    if _COURTESY.search(before.rstrip()):
        return True
    if not _ENDS_IN_QUOTED_EXCLAMATION.search(before):
        return False
    return after[:1].islower() or _SPEAKER_TAG.match(after) is not None


def _inner_boundaries(segment: str) -> list[int]:
    if not _NEEDS_RESPLIT.search(segment):
        return []
    cuts: list[int] = []
    for match in _BOUNDARY.finditer(segment):
        left = segment[max(cuts[-1] if cuts else 0, match.end() - _ASIDE) : match.end()].rstrip()
        near, right = left[-_NEAR:], segment[match.end() : match.end() + _NEAR]
        if not (_TITLE.search(near) or _continues(near, right) or _inside_aside(left)):
            cuts.append(match.end())
    return cuts


def _inside_aside(left: str) -> bool:
    """Whether a bracket that opened within the sentence is still open: what it holds does not end the sentence."""
    opened = [match.start() for match in re.finditer(r"[(\[]", left)]
    closed = left.count(")") + left.count("]")
    return len(opened) > closed and left[: opened[closed]].strip(_OPENERS + " ") != ""
