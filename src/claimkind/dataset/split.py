"""Assigning groups to train, validation and test."""

import hashlib

import numpy as np
import pandas as pd

from claimkind.dataset.rows import SPLITS
from claimkind.errors import ClaimkindError


def check_shares(shares: dict[str, float]) -> None:
    """Refuse shares that leave nothing to train on.

    Args:
        shares: of `validation` and `test`.

    Raises:
        ClaimkindError: one is not between 0 and 1, or together they reach 1.
    """
    for name, share in shares.items():
        if not 0 < share < 1 or sum(shares.values()) >= 1:
            raise ClaimkindError(
                f"dataset.{name}_share={share}, expected more than 0 and, with the other share, less than 1"
            )


def split_by_group(rows: pd.DataFrame, *, shares: dict[str, float], seed: int) -> pd.Series:
    """Assign each row to a split; rows of one group go to the same split.

    Systematic stratified sampling: groups are sorted by stratum (source, genre, most frequent label) and, within a
    stratum, by a hash of seed and name. Each in turn goes to the split that is furthest below its share of labelled
    rows. Strata are thus represented in proportion, and the result does not depend on the order of the rows or on the
    machine. Groups without any label go to train, the only split that can use them.

    Args:
        rows: `group`, `source`, `genre` and `label` of n rows, and `pinned`: a group with a pinned row is on the test
            side with every seed.
        shares: shares of `validation` and `test`, 0 to 1; train takes the rest.
        seed: changes the order within strata.

    Returns:
        (n,) one of `SPLITS` for each row, with the index of `rows`.

    Raises:
        ClaimkindError: a split is left without rows.
    """
    groups = _describe_groups(rows, seed)
    target = np.array([1 - shares["validation"] - shares["test"], shares["validation"], shares["test"]])
    side: dict[str, str] = dict.fromkeys(groups.index[groups["pinned"]], "test")
    for _, source in groups.groupby("source", sort=False):
        # Pinned rows count for their own source only: other sources keep their shares on the test side.
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
    """Size and stratum of each group, in the order in which they are assigned."""
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
