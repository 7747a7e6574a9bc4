"""Gathering the rows of a dataset: read the sources, select usable rows, find duplicates."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from claimkind.dataset.near_duplicates import equal_links, first_of_equals, merge_groups, near_duplicate_links
from claimkind.dataset.rows import COMMERCIAL_LICENCES, check_unique, with_all_columns
from claimkind.dataset.sources.base import Source
from claimkind.errors import ClaimkindError


class Deduplicated(NamedTuple):
    """Rows whose duplicates were found."""

    rows: pd.DataFrame
    """All rows, duplicates included; groups that share a duplicate or near-duplicate are merged."""
    kept: pd.Series
    """(n,) mask of the rows that go into the dataset; each of the others repeats one of them."""
    counts: dict[str, int]
    """What was found, by name, for the manifest."""


def read_sources(sources: Mapping[str, Source]) -> pd.DataFrame:
    """Read every source, one row a sentence.

    Raises:
        ClaimkindError: a source cannot be read, or two rows have the same id.
    """
    rows = pd.concat([with_all_columns(source.read(name), name) for name, source in sources.items()], ignore_index=True)
    check_unique(rows)
    return rows


def check_licence(licence: str) -> None:
    """Check the setting of licences.

    Raises:
        ClaimkindError: `licence` is neither `any` nor `commercial`.
    """
    if licence not in ("any", "commercial"):
        raise ClaimkindError(f"dataset.licence is {licence!r}, expected any or commercial")


def select_usable(rows: pd.DataFrame, licence: str) -> pd.DataFrame:
    """Rows that have a label or a source label and, with `licence=commercial`, a licence that allows commercial use.

    `check_licence` has checked `licence`.
    """
    labelled = rows["label"].notna() | rows["source_label"].notna()
    allowed = rows["licence"].isin(COMMERCIAL_LICENCES) | (licence == "any")
    return rows[labelled & allowed].reset_index(drop=True)


def pin_documents(rows: pd.DataFrame, always_test: Sequence[str]) -> pd.DataFrame:
    """Mark the rows of some documents as `pinned`: they are on the test side of every split.

    Raises:
        ClaimkindError: there is no such document.
    """
    absent = sorted(set(always_test) - set(rows["document"].dropna()))
    if absent:
        raise ClaimkindError(
            f"dataset.always_test names {absent[0]!r}, which is no document of this dataset: correct or remove the name"
        )
    return rows.assign(pinned=rows["pinned"] | rows["document"].isin(always_test))


def find_duplicates(rows: pd.DataFrame, keys: pd.Series, threshold: float) -> Deduplicated:
    """Find equal and nearly equal sentences, and merge their groups so that no split separates them.

    Args:
        rows: n rows with `label` and `group`.
        keys: (n,) normalised sentences; equal keys are duplicates.
        threshold: least Jaccard similarity of near-duplicates, 0 to 1.
    """
    kept = first_of_equals(keys, rows["label"])
    near = near_duplicate_links(keys.tolist(), threshold)
    counts = {
        "duplicates_removed": int((~kept).sum()),
        "sentences_labelled_differently": int((rows["label"].groupby(keys).nunique() > 1).sum()),
        "near_duplicate_pairs": int((keys[near[:, 0]].to_numpy() != keys[near[:, 1]].to_numpy()).sum()),
    }
    groups = merge_groups(rows["group"], np.concatenate([equal_links(keys), near]))
    return Deduplicated(rows.assign(group=groups), kept, counts)
