"""Looking for labels that are wrong: those of which a model that has not seen them is least convinced."""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold
from tqdm import tqdm

from claimkind.config import AuditLabelsConfig, build, changed_settings
from claimkind.dataset.load import load_dataset
from claimkind.dataset.rows import SPLITS
from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS, PROBABILITY_COLUMNS, label_indices, one_hot
from claimkind.models.base import check_seed

_MOST_FOLDS = 100
_SHOWN = ("id", "sha", "source", "genre", "text", "rule", "votes", "source_label", "label")


def run(config: AuditLabelsConfig) -> pd.DataFrame:
    """Rank the labels of a dataset by how likely they are wrong, into a CSV file with a column for corrections.

    A person fills `corrected` where a label is wrong; `dataset.corrections=[FILE]` makes the build use it.

    Returns:
        The ranked rows, the likeliest error first.

    Raises:
        ClaimkindError: the dataset was not built, or the output is no CSV file or holds what a person wrote.
    """
    output = Path(config.output)
    _check(output, config.folds)
    check_seed(config.seed)
    dataset = load_dataset(config.paths.data_dir, config.dataset.name, changed_settings(config.dataset))
    rows = pd.concat([dataset.splits[split].to_pandas() for split in SPLITS], ignore_index=True)
    rows = rows[rows["label"].notna()].reset_index(drop=True)
    rows["label"] = rows["label"].map(dict(enumerate(LABELS)))
    most = min(rows["group"].nunique(), rows["label"].value_counts().max())
    if config.folds > most:
        raise ClaimkindError(f"folds={config.folds}, but the labelled rows can be parted into {most} at most: lower it")
    ranked = rank(rows, out_of_fold(rows, config))
    output.parent.mkdir(parents=True, exist_ok=True)
    ranked.to_csv(output, index=False)
    doubtful = int((ranked["margin"] > 0).sum())
    print(f"{output}: {len(ranked):,} labels, {doubtful:,} of which the model would have given another")  # noqa: T201
    return ranked


def _check(output: Path, folds: int) -> None:
    if output.suffix != ".csv":
        raise ClaimkindError(f"output={output} has another ending, expected .csv: rename it")
    if not 2 <= folds <= _MOST_FOLDS:
        raise ClaimkindError(f"folds={folds}, expected 2 to {_MOST_FOLDS}: correct it")
    if not output.exists():
        return
    try:
        written = pd.read_csv(output, dtype=str)["corrected"].notna().any()
    except (OSError, ValueError, KeyError):
        raise ClaimkindError(
            f"{output} exists and is no list of this script, or another program changed its form: give another name"
        ) from None
    if written:
        raise ClaimkindError(
            f"{output} holds corrections, which would be lost, expected another output: give another name, and build "
            "with this one in dataset.corrections"
        )


def out_of_fold(rows: pd.DataFrame, config: AuditLabelsConfig) -> np.ndarray:
    """Probabilities of each row by a model that saw neither it nor its group: (n, 3)."""
    probabilities = np.zeros((len(rows), len(LABELS)))
    folds = StratifiedGroupKFold(config.folds, shuffle=True, random_state=config.seed)
    parts = list(folds.split(rows, rows["label"], rows["group"]))
    for train, held_out in tqdm(parts, desc="folds", unit=" folds"):
        classifier = build(config.model, "model", "claimkind.models")
        classifier.fit(rows["text"].iloc[train].tolist(), one_hot(rows["label"].iloc[train].tolist()))
        probabilities[held_out] = classifier.predict_proba(rows["text"].iloc[held_out].tolist())
    return probabilities


def rank(rows: pd.DataFrame, probabilities: np.ndarray) -> pd.DataFrame:
    """Sort rows by the margin by which the model prefers another label to the given one.

    The normalised margin of confident learning (Northcutt, Jiang and Chuang 2021); a positive one means that the model
    would have given `suggested`.
    """
    given = label_indices(rows["label"].tolist())
    own = probabilities[np.arange(len(rows)), given]
    others = probabilities.copy()
    others[np.arange(len(rows)), given] = -1
    ranked = rows[list(_SHOWN)].assign(
        suggested=[LABELS[index] for index in others.argmax(axis=1)],
        margin=(others.max(axis=1) - own).round(4),
        **dict(zip(PROBABILITY_COLUMNS, probabilities.T.round(4), strict=True)),
        corrected="",
    )
    ranked["votes"] = [" ".join(votes) if votes is not None else "" for votes in ranked["votes"]]
    return ranked.sort_values(["margin", "id"], ascending=[False, True], ignore_index=True)
