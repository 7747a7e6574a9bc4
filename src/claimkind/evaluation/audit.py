"""Search for label errors: the labels that a model trained without them finds least probable."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from filelock import Timeout
from sklearn.model_selection import StratifiedGroupKFold
from tqdm import tqdm

from claimkind.config import AuditLabelsConfig, build, changed_settings
from claimkind.dataset.load import BuiltDataset, load_dataset
from claimkind.dataset.rows import SPLITS, with_names
from claimkind.errors import ClaimkindError
from claimkind.io import formulas
from claimkind.labels import LABELS, PROBABILITY_COLUMNS, label_indices, one_hot
from claimkind.manifest import atomic_write, lock
from claimkind.models.base import Classifier, check_seed

_MOST_FOLDS = 100
_SHOWN = ("id", "sha", "source", "genre", "text", "rule", "votes", "source_label", "label")


class Audit(NamedTuple):
    """The result of an audit."""

    output: Path
    """The CSV file of the ranked rows."""
    ranked: pd.DataFrame
    """The labelled rows, the most probable error first."""

    def text(self) -> str:
        """The file, the number of labels, and the number of suspected errors."""
        suspected = int((self.ranked["margin"] > 0).sum())
        return f"{self.output}: {len(self.ranked):,} labels, the model predicts another one for {suspected:,} of them"


def run(config: AuditLabelsConfig) -> Audit:
    """Rank the labels of a dataset by the probability that they are wrong; see `configs/audit_labels.yaml`.

    The result is a CSV file with an empty column `corrected`. A person fills it in where a label is wrong, and
    `dataset.corrections=[FILE]` makes the build use it.

    Raises:
        ClaimkindError: the dataset was not built, or the output is no CSV file or holds corrections.
    """
    output = Path(config.output)
    try:
        with lock(f"audit {output.resolve()}").acquire(timeout=0):
            return _audit(config, output)
    except Timeout:
        raise ClaimkindError(
            f"another process writes an audit into {output}, expected none: wait for it, or give another output"
        ) from None


def _audit(config: AuditLabelsConfig, output: Path) -> Audit:
    _check(output, config.folds)
    check_seed(config.seed)
    dataset = load_dataset(config.paths.data_dir, config.dataset.name, changed_settings(config.dataset))
    rows = _labelled_rows(dataset)
    most = min(rows["group"].nunique(), rows["label"].value_counts().max())
    if config.folds > most:
        raise ClaimkindError(
            f"folds={config.folds}, but the labelled rows can be split into {most} folds at most: lower it"
        )
    probabilities = out_of_fold(
        rows, lambda: build(config.model, "model", "claimkind.models"), folds=config.folds, seed=config.seed
    )
    ranked = rank(rows, probabilities)
    output.parent.mkdir(parents=True, exist_ok=True)
    _check(output, config.folds)  # somebody may have written corrections meanwhile
    with atomic_write(output) as draft:
        formulas.escape(ranked).to_csv(draft, index=False)  # made to be opened in a spreadsheet
    return Audit(output, ranked)


def _labelled_rows(dataset: BuiltDataset) -> pd.DataFrame:
    rows = pd.concat([with_names(dataset.splits[split]) for split in SPLITS], ignore_index=True)
    return rows[rows["label"].notna()].reset_index(drop=True)


def _check(output: Path, folds: int) -> None:
    if output.suffix != ".csv":
        raise ClaimkindError(f"output={output} has another ending, expected .csv: rename it")
    if not 2 <= folds <= _MOST_FOLDS:
        raise ClaimkindError(f"folds={folds}, expected 2 to {_MOST_FOLDS}")
    if not output.exists():
        return
    try:
        written = pd.read_csv(output, dtype=str)["corrected"].notna().any()
    except (OSError, ValueError, KeyError):
        raise ClaimkindError(
            f"{output} exists and is no output of this script, or another program changed its format: give another name"
        ) from None
    if written:
        raise ClaimkindError(
            f"{output} holds corrections, which would be lost, expected another output: give another name, and build "
            "the dataset with this file in dataset.corrections"
        )


def out_of_fold(rows: pd.DataFrame, new_classifier: Callable[[], Classifier], *, folds: int, seed: int) -> np.ndarray:
    """Cross-validated probabilities: those of each row are of a model trained without the row and its group.

    Args:
        rows: labelled rows with `text`, `label` and `group`.
        new_classifier: makes a classifier that is not fitted.
        folds: number of folds.
        seed: of the folds.

    Returns:
        (n, 3).
    """
    probabilities = np.zeros((len(rows), len(LABELS)))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    parts = list(splitter.split(rows, rows["label"], rows["group"]))
    for train, held_out in tqdm(parts, desc="folds", unit=" folds"):
        classifier = new_classifier()
        classifier.fit(rows["text"].iloc[train].tolist(), one_hot(rows["label"].iloc[train].tolist()))
        probabilities[held_out] = classifier.predict_proba(rows["text"].iloc[held_out].tolist())
    return probabilities


def rank(rows: pd.DataFrame, probabilities: np.ndarray) -> pd.DataFrame:
    """Sort rows by the normalised margin of confident learning (Northcutt, Jiang and Chuang 2021), highest first.

    The margin is the highest probability of another label less that of the given one; where it is positive, the model
    predicts `suggested` instead.

    Args:
        rows: labelled rows.
        probabilities: (n, 3), of models that were not trained on the row.

    Returns:
        The rows with `suggested`, `margin`, the probabilities and an empty `corrected`.
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
