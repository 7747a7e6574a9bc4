"""Assigning groups to train, validation and test."""

import hashlib
from collections.abc import Collection

import numpy as np
import pandas as pd

from claimkind.dataset.rows import SPLITS
from claimkind.errors import ClaimkindError


def split_by_group(
    rows: pd.DataFrame, *, shares: dict[str, float], seed: int, always_test: Collection[str] = ()
) -> pd.Series:
    """Assign each row to a split; rows of one group always go together.

    Systematic sampling: groups are sorted by stratum (source, genre, commonest label) and, within it, by a hash of seed
    and name, and each in turn goes to the split that lags furthest behind its share of labelled rows. So strata are
    represented in proportion, the result depends neither on the order of rows nor on the machine, and the work is one
    sort. Groups without any label go to train, where alone they are of use.

    Args:
        rows: `group`, `source`, `genre`, `label` and `document` of each row.
        shares: the share of `validation` and `test`; train takes the rest.
        seed: another seed, another split.
        always_test: documents that are on the test side whatever the seed.

    Returns:
        One of `SPLITS` for each row, with the index of `rows`.

    Raises:
        ClaimkindError: a document of `always_test` is not there, or a split is left without rows.
    """
    groups = _describe_groups(rows, seed)
    pinned = _groups_of(rows, always_test)
    target = np.array([1 - shares["validation"] - shares["test"], shares["validation"], shares["test"]])
    assigned = np.zeros(len(SPLITS))
    side: dict[str, str] = dict.fromkeys(pinned, "test")
    assigned[SPLITS.index("test")] = groups["labelled"].reindex(list(pinned)).sum()
    for name, labelled in zip(groups.index, groups["labelled"], strict=True):
        if name in side:
            continue
        lag = target * (assigned.sum() + labelled) - assigned
        chosen = int(lag.argmax()) if labelled else 0
        assigned[chosen] += labelled
        side[name] = SPLITS[chosen]
    splits = rows["group"].map(side)
    _check_splits(splits, len(groups))
    return splits


def _describe_groups(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Size and stratum of each group, in the order in which they are to be assigned."""
    labelled = rows["label"].notna()
    counts = rows.assign(labelled=labelled).groupby("group", sort=False)
    groups = counts.agg(source=("source", "first"), genre=("genre", "first"), labelled=("labelled", "sum"))
    votes = rows[labelled].groupby(["group", "label"]).size().reset_index(name="votes")
    votes = votes.sort_values(["votes", "label"], ascending=[False, True]).drop_duplicates("group")
    groups["commonest"] = votes.set_index("group")["label"]
    groups["order"] = [hashlib.sha256(f"{seed}:{name}".encode()).hexdigest() for name in groups.index]
    return groups.fillna({"genre": "", "commonest": ""}).sort_values(["source", "genre", "commonest", "order"])


def _groups_of(rows: pd.DataFrame, documents: Collection[str]) -> set[str]:
    found = rows.loc[rows["document"].isin(list(documents)), ["document", "group"]]
    absent = sorted(set(documents) - set(found["document"]))
    if absent:
        raise ClaimkindError(
            f"dataset.always_test names {absent[0]!r}, which is no document of this dataset: correct or remove the name"
        )
    return set(found["group"])


def _check_splits(splits: pd.Series, groups: int) -> None:
    for name in SPLITS:
        if not (splits == name).any():
            raise ClaimkindError(
                f"{groups} groups leave the {name} split empty, expected rows in each of {', '.join(SPLITS)}: "
                "add documents or change dataset.validation_share and dataset.test_share"
            )
