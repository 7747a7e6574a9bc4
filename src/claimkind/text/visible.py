"""Text that a reader can see."""

import re
import unicodedata

# Letters and symbols by their category, but shown as blanks: fillers of Hangul and the blank pattern of Braille.
_FILLERS = "\u115f\u1160\u3164\uffa0\u2800"
_SEEN = re.compile(rf"[^\W{_FILLERS}]|[!-~]")


def is_blank(text: str) -> bool:
    """Whether a text has no visible character: it is empty, or holds blanks, controls and zero-width marks alone."""
    if _SEEN.search(text):
        return False
    return not any(unicodedata.category(character)[0] in "LNPS" and character not in _FILLERS for character in text)
