"""The behaviour suite: pairs of a sentence and an edit of it that must change the label, or must not change it."""

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
    """A sentence and an edited version of it, each with its label."""

    group: str
    text: str
    label: str
    edited: str
    edited_label: str


def read_pairs(path: Path) -> list[Pair]:
    """Read the behaviour suite from a JSON lines file, one pair a line.

    Raises:
        ClaimkindError: the file does not exist, or a line has a missing field or an unknown label.
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
    """Pass rates of a model by group of pairs, as in CheckList (Ribeiro et al. 2020).

    Where the edit changes the label (a directional expectation test), both predictions must be right. Where it does not
    (an invariance test), both must be the same, right or wrong.

    Args:
        classifier: fitted.
        pairs: the suite.

    Returns:
        One row a group in the order of the suite, and a last row for all pairs, with the columns `group`, `pairs`,
        `passed` and `rate`.
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
