"""Slices of the sentences: kinds of wording on which models are known to differ."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from claimkind.metrics.bootstrap import estimate

# May with a capital is a month.
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
    """Which sentences are in each slice: masks of (n,). A sentence can be in several, or in none.

    Slices are found by wording alone and serve to look at errors; they decide no label.
    """
    masks = {
        name: np.array([re.search(pattern, text, re.IGNORECASE) is not None for text in texts], dtype=bool)
        for name, pattern in _PATTERNS.items()
    }
    lengths = np.array([len(text.split()) for text in texts])
    masks[f"under {_SHORT} words"] = lengths < _SHORT
    masks[f"over {_LONG} words"] = lengths > _LONG
    return masks


def table_of(
    masks: dict[str, np.ndarray], truth: np.ndarray, probabilities: np.ndarray, groups: np.ndarray, *, samples: int
) -> pd.DataFrame:
    """Macro F1 with its interval, and accuracy, within each slice; `slice`, `sentences`, `macro F1`, `accuracy`.

    Macro F1 is over the classes that occur in a slice: many have no case of one, which says nothing of the model.

    Args:
        masks: (n,) each; empty ones are left out.
        truth: (n,) positions in `LABELS`.
        probabilities: (n, 3).
        groups: (n,) names.
        samples: number of bootstrap samples.
    """
    rows = []
    for name, mask in masks.items():
        if mask.any():
            scores = estimate(
                truth[mask], probabilities[mask], groups[mask].tolist(), samples=samples, seed=0, absent_counts=False
            )
            rows.append((name, int(mask.sum()), str(scores["macro_f1"]), f"{scores['accuracy'].value:.3f}"))
    return pd.DataFrame(rows, columns=["slice", "sentences", "macro F1", "accuracy"])
