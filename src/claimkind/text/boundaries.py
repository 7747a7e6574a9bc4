"""Rules that decide whether a mark (`.`, `!`, `?`, `…`) ends a sentence.

A mark before a capital, a digit or a sign ends the sentence, except after abbreviations, initials and list markers.
What an abbreviation does depends on its kind (`claimkind.text.abbreviations`) and on the one or two words that follow.

Logistic regression on the words and shapes around a mark was tried instead, trained on the half of the documents that
the rules were written with: boundary F1 0.970 on GUM and 0.944 on EWT, where the rules reach 0.978 and 0.948
(`scripts/benchmark.py benchmark=sentences`).
"""

import re
from typing import NamedTuple

from claimkind.text import abbreviations as words

OPENERS = "\"“„‘'«([{*_~`¿¡"
CLOSERS = "\"”“’'»«›)]}*_~`"
_QUOTES = frozenset("\"”’'»“‘«„›")
_SHORTEST_PLAIN_WORD = 4
_CAN_CLOSE_A_NAME = frozenset({"inc", "co", "corp", "ltd", "llc", "plc", "jr", "sr", "esq", "phd", "ph.d"})

_AFTER = re.compile(
    rf"(?P<dash>[–—-]*)\s?(?P<openers>[{re.escape(OPENERS)}]*)\s?"
    r"(?P<word>[^\W\d_][\w’'&-]*|)\.?(?:\s+(?P<second>\w[\w’'-]*))?"
)
# "1", "(a)", "II", and with a word before it: "Step 1", "Article 5", "§ 2"
_LIST_MARKER = re.compile(
    rf"(?:[•–—#+-]+\s*)?[{re.escape(OPENERS)}]*"
    rf"(?:(?:{words.NUMBERED_PARTS})\s+(?:No\.\s+)?(?=[\dIVXL(])|§+\s*)?"
    r"(?:\(?(?:\d{1,3}(?:\.\d{1,2})*|[ivxlIVXL]{1,6}|[A-Za-z]))?\)?(?:\([\da-z]\))?\s?"
)
_ACRONYM = re.compile(r"(?:.*[^A-Za-z.])?(?:[A-Za-z]\.)+[A-Za-z]")
_INITIAL = re.compile(r"(?:.*[()/&-])?[^\W\d_]")
_NUMBER = re.compile(r"[A-Z]?\d.*|[A-Z]|[IVXL]+")
_TIME = re.compile(r"(?:.*\d)?[ap]\.?m")
_INCHES = re.compile(r"\d\s?in$")
_NEW_START = re.compile(r"https?:|www\.|\.\.|…|(?:[a-z]|[ivx]{2,4})\)\s")
_SPEAKER_TAG = re.compile(
    rf"(?:(?:[A-Z][\w.’'-]*|the|[a-z]+)\s+){{1,4}}(?:{words.SPEECH_VERBS})\b|(?:{words.SPEECH_VERBS})\s+[A-Z]"
)
_CAPITAL_STARTER = re.compile(r"(?:He|She|It|We|They|You|The|An?|This|That|My|His|Her|Our|Their)\s")


class Candidate(NamedTuple):
    """A mark that may end a sentence, and the text around it."""

    before: str
    """The sentence before the mark, or its last characters."""
    mark: str
    """One or more of `.!?…`."""
    closers: str
    """Closing quotation marks, brackets and Markdown that follow the mark."""
    after: str
    """The first characters of what follows them, blanks left out."""
    whole: bool
    """Whether `before` is the whole sentence before the mark."""


class _After(NamedTuple):
    """What follows a mark, up to the second word."""

    first: str
    """First character that is no dash, opening mark or blank; empty if there is none."""
    word: str
    """First word; empty if there is a number or a sign instead."""
    second: str
    """Second word or number; empty if there is something else."""
    dash: bool
    openers: str

    def has(self, names: frozenset[str]) -> bool:
        return self.word.lower() in names

    def is_starter(self) -> bool:
        """Whether the first word begins a sentence; in a line of capitals the case shows nothing."""
        return self.has(words.STARTERS) and (len(self.word) == 1 or not self.word.isupper())


def ends_sentence(candidate: Candidate) -> bool:
    """Whether the sentence ends at a mark."""
    after = _read_after(candidate.after)
    if candidate.whole and _LIST_MARKER.fullmatch(candidate.before):
        return False
    if _NEW_START.match(candidate.after):
        return True
    if not after.first or after.first in ".!?…,;:)&%/":
        return False
    if candidate.mark == ".":
        return _full_stop_ends(candidate, after)
    if candidate.closers and _quotation_goes_on(candidate):
        return False
    if "." in candidate.mark or "…" in candidate.mark:
        return _ellipsis_ends(candidate.before, after)
    if candidate.before.endswith(words.NAMES_WITH_MARK):
        return after.is_starter() and after.first.isupper()
    return not (after.first.islower() and candidate.closers)


def _read_after(text: str) -> _After:
    match = next(_AFTER.finditer(text))  # every part may be empty, so there is a match
    first = text[match.start("word") : match.start("word") + 1]
    return _After(first, match["word"], match["second"] or "", bool(match["dash"]), match["openers"])


def _quotation_goes_on(candidate: Candidate) -> bool:
    """Whether a quoted exclamation lies within the sentence: *"Why now?" Smith asked*, *"Stop!" and left*."""
    if _QUOTES.isdisjoint(candidate.closers):
        return False
    if candidate.after[:1].islower():
        return True
    if _CAPITAL_STARTER.match(candidate.after):  # He asked, "Who?" She said, "Me."
        return False
    return _SPEAKER_TAG.match(candidate.after) is not None


def _ellipsis_ends(before: str, after: _After) -> bool:
    stutter = _last_word(before).lower() == after.word.lower()  # "I… I never meant it."
    return not after.first.islower() and not stutter


def _last_word(before: str) -> str:
    """Last word of a text, without opening marks."""
    parts = before.rsplit(None, 1)
    return parts[-1].lstrip(OPENERS) if parts else ""


def _full_stop_ends(candidate: Candidate, after: _After) -> bool:
    word = _last_word(candidate.before)
    key = word.lower()
    if after.first.islower():
        return not candidate.closers and _is_plain(word) and not _INCHES.search(candidate.before)
    if word.isdecimal() and len(word) < 3 and after.has(words.MONTHS):
        return False  # "am 5. Mai"
    if _TIME.fullmatch(key):
        return _time_ends(after)
    if word[-1:].isupper() and _INITIAL.fullmatch(word):
        return _initial_ends(candidate.before.split(), after)
    if key.rpartition("-")[2] in words.ABBREVIATIONS and (word != key or key not in words.ALSO_WORDS):
        return _abbreviation_ends(word, key, after)
    if _ACRONYM.fullmatch(word):
        return _may_end_here(key, after)
    return True


def _is_plain(word: str) -> bool:
    """Whether a word is no abbreviation, so that a full stop after it ends a sentence even if lower case follows."""
    if word in words.STARTERS:
        return True
    of_letters = len(word) >= _SHORTEST_PLAIN_WORD and word.isalpha() and (word.islower() or word.isupper())
    return of_letters and not set("aeiou").isdisjoint(word.lower()) and word.lower() not in words.ABBREVIATIONS


def _time_ends(after: _After) -> bool:
    """Whether *a.m.* or *p.m.* ends a sentence: not before a day, a date or a time zone."""
    if after.dash or not after.word or after.second.lower() == "time":
        return False
    return after.word.lower().removesuffix("s") not in words.DATES_AND_ZONES


def _initial_ends(before: list[str], after: _After) -> bool:
    """Whether a single capital ends a sentence, or is an initial."""
    if not after.word or after.dash:
        return False
    last = before[-2] if len(before) > 1 else ""
    label = last.lower() in words.LETTERED or (before[-1] == "I" and last.islower())
    return label or (len(after.word) > 1 and after.is_starter()) or _is_subject(after)


def _abbreviation_ends(word: str, key: str, after: _After) -> bool:
    if key in words.NEVER_LAST:
        return False
    if word != key and key.rpartition("-")[2] in words.TITLES:  # also "then-Gov."
        return key == "st" and after.is_starter()  # also the end of an address: "on Main St. The shop"
    if key in words.BEFORE_NUMBER and _goes_on_with_number(word, after):
        return False
    return key not in words.AMBIGUOUS or _may_end_here(key, after)


def _goes_on_with_number(word: str, after: _After) -> bool:
    if after.first.isdigit() or after.first in "§#":
        return True
    return word not in ("no", "art") and _NUMBER.fullmatch(after.word) is not None


def _may_end_here(key: str, after: _After) -> bool:
    """Whether an abbreviation that may stand anywhere ends the sentence, judged by the words that follow."""
    if not after.word or after.dash:
        return False
    if after.is_starter() or _is_subject(after) or not _QUOTES.isdisjoint(after.openers):
        return True
    if not after.second.islower():
        return False
    if _is_plural(after.word) and _ACRONYM.fullmatch(key):
        return not after.has(words.NAMES_AFTER_COUNTRY) and after.second not in words.STARTERS
    is_verb = after.second in words.VERBS or after.second.endswith("ed")
    return key in _CAN_CLOSE_A_NAME and is_verb and not after.has(_CAN_CLOSE_A_NAME)  # "Acme Co. Ltd. fell"


def _is_plural(word: str) -> bool:
    return word.endswith("s") and not word.endswith("ss")


def _is_subject(after: _After) -> bool:
    return after.has(words.GROUPS_OF_PEOPLE) and after.second[:1].islower()
