"""A labelled file of the user's own, read as a test split without building a dataset."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd
from datasets import ClassLabel, Dataset

from claimkind.dataset.load import BuiltDataset
from claimkind.dataset.rows import FEATURES, check_unique, with_all_columns
from claimkind.dataset.sources.table import Table
from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS, one_hot
from claimkind.manifest import sha256_file


class LabelledFile(NamedTuple):
    """A table with a text and a label in each row."""

    path: Path
    text_column: str
    label_column: str
    group_column: str | None
    """Rows with an equal value are resampled together for intervals; None: each row is a group."""
    labels: dict[str, str]
    """By label of the file the label that it means; empty where the file uses the three names."""


def load_labelled_file(file: LabelledFile) -> BuiltDataset:
    """Read a labelled file as a dataset that has a test split only.

    Its name is that of the file, and its fingerprint the digest of the file, so that models that were evaluated on the
    same file can be compared.

    Raises:
        ClaimkindError: the file does not exist, lacks a column, or has a label that is none of the three and not in
            `labels`.
    """
    if not file.path.is_file():
        raise ClaimkindError(f"input={file.path} is no file, expected a labelled table")
    for name, label in file.labels.items():
        if label not in LABELS:
            raise ClaimkindError(f"labels maps {name!r} to {label!r}, expected one of {', '.join(LABELS)}")
    source = Table(
        files={file.path.name: None},
        folder=str(file.path.parent),
        licence="own",
        text_column=file.text_column,
        label_column=file.label_column,
        group_column=file.group_column,
        own_labels=file.labels or {label: label for label in LABELS},
    )
    rows = with_all_columns(source.read(file.path.stem), file.path.stem)
    check_unique(rows)
    return BuiltDataset(file.path.stem, sha256_file(file.path)[:16], file.path.parent, {"test": _as_split(rows)})


def _as_split(rows: pd.DataFrame) -> Dataset:
    """Rows in the schema of a split; see `claimkind.dataset.rows`."""
    evidence = one_hot(rows["label"].tolist()).tolist()
    rows = rows.astype(object).where(rows.notna(), None).assign(evidence=evidence)
    split = Dataset.from_dict({column: rows[column].tolist() for column in FEATURES}, features=FEATURES)
    return split.cast_column("label", ClassLabel(names=list(LABELS)))
