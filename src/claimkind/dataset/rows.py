"""The rows of a dataset: their columns, how they are written to parquet and read back."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
from datasets import ClassLabel, Dataset, Features, List, Value

from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS, PROBABILITY_COLUMNS

SPLITS = ("train", "validation", "test")

FEATURES = Features(
    {
        "id": Value("string"),
        "text": Value("string"),
        "label": Value("string"),
        "evidence": List(Value("float64"), length=len(LABELS)),
        "votes": List(Value("string")),
        "rule": Value("string"),
        "source": Value("string"),
        "source_label": Value("string"),
        "genre": Value("string"),
        "document": Value("string"),
        "group": Value("string"),
        "pair": Value("string"),
        "licence": Value("string"),
        "start": Value("int64"),
        "end": Value("int64"),
        "sha": Value("string"),
    }
)

# Licences that allow commercial use, the strictest last; any other, or none, is taken to forbid it.
COMMERCIAL_LICENCES = ("CC0-1.0", "own", "MIT", "Apache-2.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0")


def text_sha(text: str) -> str:
    """Key of a sentence: 16 hex digits of the sha256 of its text, with runs of blanks collapsed and ends stripped."""
    return hashlib.sha256(re.sub(r"\s+", " ", text).strip().encode()).hexdigest()[:16]


def with_all_columns(rows: pd.DataFrame, source: str) -> pd.DataFrame:
    """Add `source`, `sha`, `pinned` and, filled with null, all other columns of `FEATURES` except `evidence`."""
    rows = rows.assign(source=source, sha=[text_sha(text) for text in rows["text"]])
    if "pinned" not in rows:
        rows["pinned"] = False
    columns = [column for column in FEATURES if column != "evidence"]
    return rows.reindex(columns=[*columns, "pinned"]).astype({"start": "Int64", "end": "Int64"})


def write_rows(rows: pd.DataFrame, path: Path) -> None:
    """Write rows to a parquet file in the schema of `FEATURES`."""
    rows = rows.astype(object).where(rows.notna(), None)
    columns = {column: rows[column].tolist() for column in FEATURES}
    Dataset.from_dict(columns, features=FEATURES).to_parquet(path)


def read_rows(path: Path) -> Dataset:
    """Read a parquet file of rows; `label` comes as a `ClassLabel` in the order of `LABELS` (null stays null)."""
    rows = Dataset.from_parquet(str(path), features=FEATURES, keep_in_memory=True)
    return rows.cast_column("label", ClassLabel(names=list(LABELS)))


def evidence_of(rows: Dataset) -> np.ndarray:
    """The evidence of rows as an (n, 3) float64 array."""
    return np.asarray(rows["evidence"], dtype=np.float64).reshape(-1, len(LABELS))


def with_names(rows: Dataset) -> pd.DataFrame:
    """Rows with the names of labels instead of their positions."""
    frame: pd.DataFrame = rows.to_pandas()
    return frame.assign(label=frame["label"].map(dict(enumerate(LABELS))))


def predictions_of(rows: Dataset, probabilities: np.ndarray) -> pd.DataFrame:
    """Table of predictions for n rows and (n, 3) probabilities, as runs log it and `scripts/compare.py` reads it."""
    columns = dict(zip(PROBABILITY_COLUMNS, probabilities.T, strict=True))
    return with_names(rows)[["id", "group", "source", "genre", "text", "label"]].assign(**columns)


def check_unique(rows: pd.DataFrame) -> None:
    """Check that each `id` is unique, since predictions and labels are joined by it.

    Raises:
        ClaimkindError: two rows have the same id.
    """
    twice = rows.loc[rows["id"].duplicated(), "id"]
    if len(twice):
        raise ClaimkindError(f"found the id {twice.iloc[0]!r} on two rows, expected each id once: rename one of them")
