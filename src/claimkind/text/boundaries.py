"""Rules that decide whether a full stop, an exclamation mark, a question mark or an ellipsis ends a sentence.

The case of the next letter decides first. A full stop after an abbreviation is decided by the kind of the abbreviation
(`claimkind.text.abbreviations`) and by the one or two words that follow.
"""

import re
from typing import NamedTuple

from claimkind.text import abbreviations as words

OPENERS = "\"“„‘'«([{*_~`¿¡"
CLOSERS = "\"”’'»)]}*_~`"
_QUOTES = "\"”’'»“‘«„"
_SUBJECTLESS = 4

_AFTER = re.compile(
    rf"(?P<dash>[–—-]*)\s?(?P<openers>[{re.escape(OPENERS)}]*)\s?"
    r"(?P<word>[^\W\d_][\w’'&-]*|)\.?(?:\s+(?P<second>\w[\w’'-]*))?"
)
_MARKER = re.compile(
    r"|\(?(?:\d{1,3}(?:\.\d{1,2})*|[ivxlIVXL]{1,6}|[A-Za-z])\)?"
)
_LETTERS = re.compile(r"(?:^|.*[^A-Za-z.])(?:[A-Za-z]\.)+[A-Za-z]")
_INITIAL = re.compile(r"(?:.*[()/&-])?[A-Z]")
_TIME = re.compile(r"\d*[ap]\.?m", re.IGNORECASE)
_SPEAKER_TAG = re.compile(
    rf"(?:(?:[A-Z][\w.’'-]*|the|[a-z]+)\s+){{1,4}}(?:{words.SPEECH_VERBS})\b|(?:{words.SPEECH_VERBS})\s+[A-Z]"
)
_NEW_START = re.compile(r"https?:|www\.|\.\.|…")


class Candidate(NamedTuple):
    """A mark that may end a sentence, and what stands around it."""

    before: str
    """The end of the sentence before the mark."""
    mark: str
    """One or more of `.!?…`."""
    closers: str
    """Closing quotation marks, brackets and Markdown after the mark."""
    after: str
    """The beginning of the text that follows, without the blank."""
    whole: bool
    """Whether `before` begins where the sentence begins."""


class _Next(NamedTuple):
    first: str
    """First character that is no dash and no opening mark."""
    word: str
    """First word, empty if a number or a sign stands there."""
    second: str
    dash: bool
    openers: str


def ends_sentence(candidate: Candidate) -> bool:
    """Whether the sentence ends at a mark."""
    after = _next_words(candidate.after)
    if candidate.whole and _MARKER.fullmatch(candidate.before):
        return False
    if _NEW_START.match(candidate.after):
        return True
    if not after.first or after.first in ".!?…,;:)&%/":
        return False
    if candidate.mark == ".":
        return _full_stop_ends(candidate, after)
    if _goes_on_after_quotation(candidate):
        return False
    if "." in candidate.mark or "…" in candidate.mark:
        return _ellipsis_ends(candidate, after)
    if candidate.before.endswith(words.NAMES_WITH_MARK):
        return after.word.lower() in words.STARTERS
    return not after.first.islower() or not candidate.closers


def _next_words(text: str) -> _Next:
    match = _AFTER.match(text)
    assert match is not None  # noqa: S101
    first = text[match.start("word") : match.start("word") + 1]
    return _Next(first, match["word"], match["second"] or "", bool(match["dash"]), match["openers"])


def _goes_on_after_quotation(candidate: Candidate) -> bool:
    """Whether the sentence goes on after a quoted question: *"Why now?" Smith asked*, *"Stop!" and left*."""
    if not set(candidate.closers) & set(_QUOTES):
        return False
    return candidate.after[:1].islower() or _SPEAKER_TAG.match(candidate.after) is not None


def _ellipsis_ends(candidate: Candidate, after: _Next) -> bool:
    if after.first.islower():
        return False
    last = candidate.before.rsplit(None, 1)[-1:]
    return not last or last[0].strip(OPENERS).lower() != after.word.lower()  # a stutter: "I… I never"


def _full_stop_ends(candidate: Candidate, after: _Next) -> bool:
    token = candidate.before.rsplit(None, 1)[-1] if candidate.before.strip() else ""
    word = token.lstrip(OPENERS)
    key = word.lower()
    if f"{' '.join(candidate.before.split()[-2:])}. {after.word}" in words.LABELLED_AS_ONE:
        return False
    if after.first.islower():
        return not candidate.closers and _is_plain(word)
    if key in words.TITLES and (word != key):
        return False
    if key in words.NEVER_LAST and word != "C":
        return False
    if key in words.BEFORE_NUMBER and (after.first.isdigit() or after.first in "([§#") :
        return False
    if _TIME.fullmatch(key):
        return _time_ends(candidate.after, after)
    if _INITIAL.fullmatch(word):
        return _initial_ends(candidate, after)
    if _LETTERS.fullmatch(word) or (key in words.AMBIGUOUS and not (key in words.WORDS_TOO and word == key)):
        return _abbreviation_ends(word, after)
    return True


def _is_plain(word: str) -> bool:
    """Whether a word in lower case is no abbreviation, so that a full stop ends the sentence before lower case too."""
    if word in words.STARTERS:
        return True
    return len(word) >= _SUBJECTLESS and word.isalpha() and (word.islower() or word.isupper()) and word.lower() not in words.ABBREVIATIONS


def _time_ends(text: str, after: _Next) -> bool:
    if after.dash or not after.word or after.second.lower() == "time":
        return False
    return after.word.lower() not in words.DATES_AND_ZONES


def _initial_ends(candidate: Candidate, after: _Next) -> bool:
    if not after.word or after.dash:
        return False
    before = candidate.before.split()[-2:-1]
    label = bool(before) and before[0].lower() in words.LETTERED
    starter = after.word.lower() in words.STARTERS and len(after.word) > 1
    return label or starter or _is_subject(after)


def _abbreviation_ends(word: str, after: _Next) -> bool:
    if not after.word or after.dash:
        return False
    name = after.word.lower()
    if name in words.STARTERS or _is_subject(after):
        return True
    if set(after.openers) & set(_QUOTES):
        return True
    if name in words.NAMES_AFTER_COUNTRY or not after.second.islower():
        return False
    plural = name.endswith("s") and not name.endswith("ss")
    if plural:
        return after.second not in words.STARTERS
    return not _LETTERS.fullmatch(word) and _is_verb(after.second)


def _is_subject(after: _Next) -> bool:
    return after.word.lower() in words.ACTORS and after.second[:1].islower()


def _is_verb(word: str) -> bool:
    return word in words.VERBS or word.endswith("ed")
