"""The behaviour suite: pairs of sentences in which an edit must change the label, or must not."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from claimkind.dataset.annotations import read_jsonl
from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS, label_indices
from claimkind.models.base import Predictor

_FIELDS = ("group", "text", "label", "edited", "edited_label")


class Pair(NamedTuple):
    """A sentence and an edit of it, each with the label that the guide gives it."""

    group: str
    text: str
    label: str
    edited: str
    edited_label: str


def read_pairs(path: Path) -> list[Pair]:
    """Read the suite, a pair a line.

    Raises:
        ClaimkindError: the file does not exist, or a line lacks a field or has an unknown label.
    """
    pairs = []
    for place, row in read_jsonl(path):
        if not all(isinstance(row.get(field), str) for field in _FIELDS):
            raise ClaimkindError(f"{place}: found {', '.join(row)}, expected the texts {', '.join(_FIELDS)}")
        if not {row["label"], row["edited_label"]} <= set(LABELS):
            raise ClaimkindError(f"{place}: found an unknown label, expected two of {', '.join(LABELS)}")
        pairs.append(Pair(*(row[field] for field in _FIELDS)))
    return pairs


def pass_rates(classifier: Predictor, pairs: Sequence[Pair]) -> pd.DataFrame:
    """How many pairs of each group a model passes, in the manner of CheckList (Ribeiro et al. 2020).

    Where the edit changes the label, both sentences must get the right one; where it does not, both must get the same.

    Returns:
        `group`, `pairs`, `passed` and `rate`, a row a group in the order of the suite, and a last one over all.
    """
    expected = np.stack([label_indices([p.label for p in pairs]), label_indices([p.edited_label for p in pairs])])
    texts = [pair.text for pair in pairs] + [pair.edited for pair in pairs]
    predicted = classifier.predict_proba(texts).argmax(axis=1).reshape(2, -1)
    changes = expected[0] != expected[1]
    passed = np.where(changes, (predicted == expected).all(axis=0), predicted[0] == predicted[1])
    table = pd.DataFrame({"group": [pair.group for pair in pairs], "passed": passed})
    rates = table.groupby("group", sort=False)["passed"].agg(pairs="size", passed="sum").reset_index()
    total = pd.DataFrame({"group": ["all"], "pairs": [len(pairs)], "passed": [int(passed.sum())]})
    return pd.concat([rates, total], ignore_index=True).assign(rate=lambda rows: rows["passed"] / rows["pairs"])
