"""Slices of the sentences by wording, on which models are known to differ."""

import re
from collections.abc import Sequence

import numpy as np

# Case is ignored but for *may*: with a capital it is mostly the month.
_PATTERNS = {
    "attribution": r"\b(sa(id|ys?|ying)|t(old|ell(s|ing)?)|according to|w(rote|rites)|add(ed|s)|announc(ed|es)|"
    r"argu(ed|es)|claim(ed|s)|suggest(ed|s)|warn(ed|s)|insist(ed|s)|explain(ed|s)|den(ied|ies)|alleg(ed|es)|"
    r"report(ed|s) that|(?<!so-)call(ed|s)(?! for\b)|describ(ed|es))\b",
    "quotation": r"[“”\"«»]|(?<!\w)[‘'](?!\d)\w[^‘’']*[^s‘’'\s][’'](?!\w)",
    "forecast": r"\b(will|shall|won[’']t|going to|expect\w*|forecast\w*|predict\w*|by 20\d\d|next (week|month|year))\b|"
    r"\w[’']ll\b",
    "conditional": r"\b(if|unless|provided that|should the)\b",
    "modal should": r"\b(should|ought|must)(n[’']t)?\b",
    "hedge": r"\b(might|could|would|perhaps|maybe|probably|presumably|supposedly|apparently|potentially|"
    r"(un)?likely|possibl[ey]|appear(s|ed)?|seem(s|ed)?|think|suggests?|reportedly|allegedly|(?-i:may))\b",
    "question": r"\?[\"”’)\]']*\s*$",
    "digits": r"\d",
    "negation": r"\b(not|no|never|nobody|nothing|none|neither|nor|hardly|without|cannot)\b|n[’']t\b",
}
_SHORT, _LONG = 8, 30


def slices_of(texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Find the sentences of each slice by regular expressions; a sentence can be in several slices, or in none.

    Slices serve error analysis only; no label depends on them.

    Args:
        texts: n sentences.

    Returns:
        By name of the slice a mask, (n,) bool.
    """
    masks = {
        name: np.array([re.search(pattern, text, re.IGNORECASE) is not None for text in texts], dtype=bool)
        for name, pattern in _PATTERNS.items()
    }
    lengths = np.array([len(text.split()) for text in texts])
    masks[f"under {_SHORT} words"] = lengths < _SHORT
    masks[f"over {_LONG} words"] = lengths > _LONG
    return masks
