"""Assigning groups to train, validation and test."""

import hashlib

import numpy as np
import pandas as pd

from claimkind.dataset.rows import SPLITS
from claimkind.errors import ClaimkindError


def split_by_group(rows: pd.DataFrame, *, shares: dict[str, float], seed: int) -> pd.Series:
    """Assign each row to a split; rows of one group always go together.

    Systematic sampling: groups are sorted by stratum (source, genre, commonest label) and, within it, by a hash of seed
    and name, and each in turn goes to the split that lags furthest behind its share of labelled rows. So strata are
    represented in proportion, the result depends neither on the order of rows nor on the machine, and the work is one
    sort. Groups without any label go to train, where alone they are of use.

    Args:
        rows: `group`, `source`, `genre`, `label` of each row, and `pinned`: a group with a pinned row is on the test
            side whatever the seed.
        shares: the share of `validation` and `test`; train takes the rest.
        seed: another seed, another split.

    Returns:
        One of `SPLITS` for each row, with the index of `rows`.

    Raises:
        ClaimkindError: a split is left without rows.
    """
    groups = _describe_groups(rows, seed)
    target = np.array([1 - shares["validation"] - shares["test"], shares["validation"], shares["test"]])
    side: dict[str, str] = dict.fromkeys(groups.index[groups["pinned"]], "test")
    for _, source in groups.groupby("source", sort=False):
        # What is pinned counts for its own source only: the others keep their shares on the test side.
        assigned = np.zeros(len(SPLITS))
        assigned[SPLITS.index("test")] = source.loc[source["pinned"], "labelled"].sum()
        for name, labelled in source.loc[~source["pinned"], "labelled"].items():
            lag = target * (assigned.sum() + labelled) - assigned
            chosen = int(lag.argmax()) if labelled else 0
            assigned[chosen] += labelled
            side[str(name)] = SPLITS[chosen]
    splits = rows["group"].map(side)
    _check_splits(splits, len(groups))
    return splits


def _describe_groups(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Size and stratum of each group, in the order in which they are to be assigned."""
    labelled = rows["label"].notna()
    counts = rows.assign(labelled=labelled).groupby("group", sort=False)
    groups = counts.agg(
        source=("source", "first"), genre=("genre", "first"), labelled=("labelled", "sum"), pinned=("pinned", "any")
    )
    votes = rows[labelled].groupby(["group", "label"]).size().reset_index(name="votes")
    votes = votes.sort_values(["votes", "label"], ascending=[False, True]).drop_duplicates("group")
    groups["commonest"] = votes.set_index("group")["label"]
    groups["order"] = [hashlib.sha256(f"{seed}:{name}".encode()).hexdigest() for name in groups.index]
    return groups.fillna({"genre": "", "commonest": ""}).sort_values(["source", "genre", "commonest", "order"])


def _check_splits(splits: pd.Series, groups: int) -> None:
    for name in SPLITS:
        if not (splits == name).any():
            raise ClaimkindError(
                f"{groups} groups leave the {name} split empty, expected rows in each of {', '.join(SPLITS)}: "
                "add documents or change dataset.validation_share and dataset.test_share"
            )
