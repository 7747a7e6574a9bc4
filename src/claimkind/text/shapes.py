"""Passages that are no sentences, by their shape: bylines, datelines, photo credits, calls to subscribe, headings.

The list holds only shapes that prose does not have. To count a line of boilerplate as a sentence changes a share a
little; to take a sentence for boilerplate loses it.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence

from claimkind.text.blocks import BOILERPLATE, HEADING, LIST_ITEM, SENTENCE, Block, ParsedText, Passage, passages
from claimkind.text.line_breaks import is_unfinished
from claimkind.text.sentences import split_sentences

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)[a-z]*\.?"
_DAY = r"(?:(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?\.?,?\s+)?"
_YEAR = r"(?:,?\s+\d{4})?"
_NUMBER = r"\d{1,2}(?:st|nd|rd|th)?"
_DATE = rf"{_DAY}(?:{_MONTH}\s+{_NUMBER}{_YEAR}|{_NUMBER}\s+{_MONTH}{_YEAR}|\d{{4}}-\d\d-\d\d)"
_TIME = r"(?:,?\s*(?:at\s+)?\d{1,2}[:.]\d\d(?:\s*[ap]\.?m\.?)?(?:\s*\(?[A-Z]{2,4}\)?)?)?"
_NAME = r"[A-Z][\w.’'-]*(?:\s+(?:(?:van|von|de|del|da|di|al|bin|la|le|der)\s+)*[A-Z][\w.’'-]*){0,4}"
_NAMES = rf"{_NAME}(?:(?:,\s+|\s+and\s+|,\s+and\s+|\s+&\s+){_NAME}){{0,5}}"
_TAIL = r"(?:\s*[|•·—–,-]\s*.{1,60})?"
_UNFINISHED = (
    # bylines and credits
    rf"(?:By|BY|Words by|Written by|Story by|Text by|Edited by)\s+{_NAMES}{_TAIL}",
    rf"(?:Additional )?[Rr]eporting by\s+{_NAME}.*",
    # dates and datelines
    rf"(?:(?:First |Last )?(?i:published|posted|updated|modified)(?: on| at)?:?\s+)?{_DATE}{_TIME}{_TAIL}",
    r"(?:First |Last )?(?:[Pp]ublished|[Pp]osted|[Uu]pdated)(?: on)?:\s+.{1,40}",
    rf"[A-Z][A-Z. ]{{2,30}}(?:,\s+{_NAME})?(?:,\s+{_DATE})?(?:\s+\([A-Za-z ]{{2,20}}\))?\s*[—–-]",
    rf"[A-Z][\w. ]{{2,30}},\s+{_DATE}(?:\s*[—–:/-].{{0,30}})?",
    # mail
    r"(?:On|Am|Le|El)\s.{5,160}\s(?:wrote|writes|schrieb|a écrit|escribió)\s?:",
    r"(?:Hi|Hello|Hey|Good (?:morning|afternoon|evening))\b[\w .’'&-]{0,40},",
    r"(?:(?:Best|Kind|Kindest|Warm|Many|With (?:best|kind|warm))\s+)?(?:[Rr]egards|[Ww]ishes|[Tt]hanks),?|Best,|"
    r"Cheers,?|(?:Yours\s+)?(?:[Ss]incerely|[Ff]aithfully|[Tt]ruly),?|Sent from my .{1,30}",
    r"-+\s*(?:Original|Forwarded) .{1,20}-*|Begin forwarded message:",
    # subtitles, times, and what programs fill in or mark
    r"[\d:,.]+\s*-->\s*[\d:,.]+.*|WEBVTT.*|\d{1,2}[.:]\d\d(?:\s*[ap]\.?m\.?)?(?:\s*\(?[A-Z]{2,4}\)?)?",
    r"\{[{%].*[}%]\}|\[!\w+\].*|:{3,}.*|\[/?(?:caption|gallery|embed|video|audio)\b[^\]]*\]",
    r"[—–-]+\s.{2,60}\s\(@\w+\).*",
    # wire services and archives
    r"(?:The )?(?:Associated Press|Reuters|AFP|Agence France-Presse|Bloomberg News)(?: Writers?)?",
    r"\d+ of \d+ DOCUMENTS|[A-Z]{2,3}-[A-Z]{2,}--.*|(?:First|Final|Late|Early|City|National|Main) Edition|Eds: .*",
    # signposts
    r"(?i:read more|continue reading|keep reading|recommended|more on this story|most read|advertisement|"
    r"related(?: articles?| stories| links| topics| content)?|sponsored(?: content)?|back to top|share(?: on \w+)?|"
    r"skip to (?:main )?(?:content|navigation)|tags|topics|notes to editors|media contacts?|press contacts?)",
    r"(?i:privacy (?:policy|notice)|terms (?:of (?:use|service)|and conditions)|cookie (?:policy|settings)).*",
    r"(?:FOR IMMEDIATE RELEASE|EMBARGOED).*|#{2,4}|-?\s?(?:30|ENDS|Ends|END)\s?-?",
    r"\d+[ -]min(?:ute)?s? read",
    r"(?:Page\s+)?\d{1,4}(?:\s+of\s+\d{1,4})?|[\W_]+",
    # addresses and menus
    r"(?:https?://|www\.)\S+|\S+@\S+\.\w+|[+(]?\d[\d ()./-]{6,18}\d",
    r"\w[\w ]{1,24}(?:\s+[|•·]\s+\w[\w ]{1,24})+",
)
_ANY = (
    r"(?:From|To|Cc|CC|Bcc|Sent|Date|Subject|Reply-To|Attachments?|Message-I[Dd]|MIME-Version|Content-[A-Z][\w-]+|"
    r"X-[A-Z][\w-]+|In-Reply-To|Return-Path|Delivered-To|Received):\s.+",
    r"\(?(?:Photo(?:graph)?s?|Images?|Pictures?|Illustrations?|Graphics?|Video|Credits?|Caption)"
    r"(?:\s+credit|\s+by|\s+courtesy of|:|/).*",
    r"(?:©|\([Cc]\)\s+(?:Copyright|\d{4})|Copyright\s+(?:©|\([Cc]\)|\d{4})).*|(?i:all rights reserved)\.?",
    r"This material may not be (?:published|reproduced|copied)\b.*",
    r"[^.]{5,160} contributed to this (?:report|story|article)\.?",
    rf"{_NAME} reported from {_NAMES}\.?",
    r"(?:BYLINE|SECTION|LENGTH|HEADLINE|DATELINE|LOAD-DATE|LANGUAGE|PUBLICATION-TYPE|DOCUMENT-TYPE|JOURNAL-CODE|GRAPHIC|"
    r"GEOGRAPHIC|SUBJECT|ORGANIZATION|COMPANY|TICKER|KEYWORDS?|EDITION|SLUG|CREDIT|TYPE)\s?:.*",
    r"Follow .{2,40} (?:on|at) (?:Twitter|X|Facebook|Instagram|Bluesky|Mastodon|Threads|Telegram|TikTok|YouTube)\b.*",
    r"You(?: are|[’']re) (?:currently )?an? (?:free |paid )?subscriber\b.*|"
    r"(?:For the full experience, )?[Uu]pgrade (?:to paid|your subscription)\b.*",
    r"(?:Please )?[Cc]lick (?:here|below|the link|the button)\b.*",
    r"(?:Subscribe|Sign up|Unsubscribe)(?:\s+(?:here|now|today|to|for|from)\b.*|[.!]?)",
    r"You(?: are|[’']re)? (?:get|receiv)\w* this (?:letter|e-?mail|message|newsletter)\b.*",
    r"(?:Register|Log in|Sign in|Donate)(?:\s+(?:here|now|today))?[.!]?",
    r"(?:Follow|Like|Find|Join) us (?:on|at)\b.*",
    r"(?:Share|Print|Email|Save|Forward) (?:this|the) (?:article|story|page|post|newsletter|email)\b.*",
    r"(?i:read|see|watch|listen|view) (?i:more|also|next)(?:\s*:.*|\s+(?:on|about|at|here)\b.*)",
    r"(?i:view (?:this |it )?(?:email |newsletter )?in your browser).*",
    r"(?i:related|tags?|topics?|filed under|sources?|(?:press|media) (?:enquiries|contacts?)|contact|tel|phone|fax|"
    r"e-?mail)\s*:.*",
)
_LONGEST = 240  # characters


def _any_of(shapes: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{shape})" for shape in shapes), re.DOTALL)


_UNFINISHED_SHAPE, _ANY_SHAPE = _any_of(_UNFINISHED), _any_of(_ANY)
_ITEM = re.compile(r"(?:[•·◦▪‣∙*+-]|\(?(?:\d{1,2}|[a-z])[.)])\s+\S")  # in plain text
_MARK = re.compile(r"[.!?…][\"”’'»)\]*_]*$")
_VERBS = re.compile(
    r"\b(?:is|are|was|were|be|been|am|has|have|had|do|does|did|will|would|can|could|may|might|must|shall|should|"
    r"says?|said|goes|went|gets?|got|makes?|made|takes?|took|comes?|came|gives?|gave|keeps?|kept|means?|meant|"
    r"[a-z]{2,}ed|\w+n[’']t|\w+[’'](?:s|re|ve|ll|d)\s)\b"
)
_FEWEST_WORDS = 3  # of a sentence in a list
_ENOUGH_WORDS = 6  # of one without a frequent verb
_LONGEST_HEADING = 12  # words
_LONGEST_LINK = 25  # words
_LONGEST_SIGNATURE = 10  # blocks
# Where lines without a mark are headings: lines at least, and the share of the text that ends with marks.
_FEWEST_LINES, _MARKED = 4, 0.8


def is_boilerplate(text: str) -> bool:
    """Whether a passage has the shape of a byline, a credit, a date, a call to the reader or the like."""
    if len(text) > _LONGEST:
        return False
    return bool(_ANY_SHAPE.fullmatch(text) or (not _MARK.search(text) and _UNFINISHED_SHAPE.fullmatch(text)))


def is_whole_sentence(text: str) -> bool:
    """Whether a list item is a sentence: it ends with a full stop or the like, and has a frequent verb or six words."""
    words = len(text.split())
    if words < _FEWEST_WORDS or _MARK.search(text) is None:
        return False
    return words >= _ENOUGH_WORDS or _VERBS.search(text) is not None


def is_prose(texts: Iterable[str]) -> bool:
    """Whether most of some texts, as the cells of a table, is whole sentences."""
    surplus = 0
    for text in texts:
        whole = sum(len(one.text) for one in split_sentences(text) if is_whole_sentence(one.text))
        surplus += 2 * whole - len(text.strip())
    return surplus > 0


def with_kinds_by_shape(blocks: Sequence[Block], unmarked: str = HEADING) -> list[Block]:
    """Set the kinds of blocks that only their shape tells.

    Args:
        blocks: of a document.
        unmarked: the kind of a short line without a full stop or the like, in a document that is mostly sentences.
    """
    paragraphs = [block for block in blocks if block.kind == SENTENCE and not is_boilerplate(block.text.strip())]
    marked = sum(max(map(block.text.rfind, ".!?…")) + 1 for block in paragraphs)
    has_headings = len(paragraphs) >= _FEWEST_LINES and marked >= _MARKED * sum(len(block.text) for block in paragraphs)
    last = paragraphs[-1] if paragraphs and unmarked == HEADING else None  # no heading, which has text below it
    kinds = [_kind_of(block, unmarked if has_headings and block is not last else SENTENCE) for block in blocks]
    kinds[_signature(blocks) :] = [BOILERPLATE] * (len(blocks) - _signature(blocks))
    return [
        block if block.kind == kind else dataclasses.replace(block, kind=kind)
        for block, kind in zip(blocks, kinds, strict=True)
    ]


def _signature(blocks: Sequence[Block]) -> int:
    """The place of the signature of a mail: a few last lines without a full stop, below a line of two hyphens."""
    for place in range(len(blocks) - 1, max(-1, len(blocks) - _LONGEST_SIGNATURE), -1):
        text = blocks[place].text.strip()
        if text == "--":
            return place
        if not is_unfinished(text):
            break
    return len(blocks)


def _kind_of(block: Block, unmarked: str) -> str:
    if block.kind not in (SENTENCE, LIST_ITEM):
        return block.kind
    text = block.text.strip()
    words = len(text.split())
    if block.linked and words <= _LONGEST_LINK and not is_whole_sentence(text):
        return BOILERPLATE  # a menu, or a link to another article
    if block.kind == SENTENCE and _ITEM.match(text):
        return LIST_ITEM
    if block.kind == LIST_ITEM or words > _LONGEST_HEADING or not is_unfinished(text):
        return block.kind
    if len(split_sentences(text)) > 1:
        return block.kind
    return HEADING if block.bold and unmarked != SENTENCE else unmarked


def labelled_passages(parsed: ParsedText) -> Iterator[Passage]:
    """The passages of a document with their final kinds.

    A sentence in a list counts as a sentence if it is a whole one, and one with the shape of boilerplate does not.
    """
    for passage in passages(parsed):
        kind = passage.kind
        if kind == LIST_ITEM and is_whole_sentence(passage.text):
            kind = SENTENCE
        if kind in (SENTENCE, HEADING, LIST_ITEM) and is_boilerplate(passage.text):
            kind = BOILERPLATE
        yield passage._replace(kind=kind) if kind != passage.kind else passage
