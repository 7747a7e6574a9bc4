"""Probes: external test sets with labels of their own, on which a model's features or a fine-tuned copy are tested."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from claimkind.config import build
from claimkind.dataset.near_duplicates import normalise
from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS
from claimkind.metrics.bootstrap import Estimate, macro_f1_of_names, rank_correlation
from claimkind.models.base import Examples, FineTunable, Predictor
from claimkind.models.calibration import uncalibrated

_FEWEST = 5  # so that each of the five folds of the cross-validation has one
_VALIDATION_SHARE = 0.2
_INVERSE_REGULARISATION = np.logspace(-4, 2, 13)


class ProbeSplit(NamedTuple):
    """The rows of a probe, each with `text` and `source_label`."""

    train: pd.DataFrame
    test: pd.DataFrame


class ProbeScore(NamedTuple):
    """The results of a probe."""

    name: str
    method: str
    """How the model was adapted to the labels of the data set."""
    train_size: int
    test_size: int
    macro_f1: Estimate
    accuracy: float
    published: str
    correlation: Estimate | None
    """Rank correlation of `p_speculative` with the certainty of the test sentences, where the data set has one."""

    def table(self) -> pd.DataFrame:
        """The results as a table of one row."""
        row = {"macro F1": str(self.macro_f1), "accuracy": round(self.accuracy, 3), "published": self.published}
        if self.correlation:
            row["rank correlation of p_speculative with certainty"] = str(self.correlation)
        return pd.DataFrame([row])


@dataclass(frozen=True)
class Probe:
    """A classifier of the labels of an external data set, made from a model, trained and tested on that data set.

    By default a logistic regression on the features of the model, which measures how well they separate the labels
    (Alain and Bengio 2016). The model itself does not change.
    """

    name: str
    """Name of the data set."""
    source: dict[str, Any]
    """Settings of the data set's source. The rows of its `always_test` files are the test rows, the others the training
    rows; rows without a label are in neither."""
    exclude: dict[str, Any] | None = None
    """Settings of another source, whose test sentences are excluded from the training rows."""
    exclude_from_test: dict[str, Any] | None = None
    """Settings of another source, whose sentences are excluded from the test rows, since models may know them."""
    train_rows: int | None = None
    """Number of rows to draw at random as training rows, where the data set has no test files; the others are the test
    rows. Those without a label are in neither."""
    fine_tune: bool = False
    """Whether to train a copy of the model on the training rows, as published systems are, instead of a regression on
    its features. A fifth of the rows decides which epoch is kept; the copy is not saved."""
    epochs: float = 5
    """Largest number of epochs of `fine_tune`."""
    learning_rate: float | None = None
    """Of `fine_tune`; null takes that of the model's training."""
    published: str = ""
    """Results published by others, for the table."""
    seed: int = 0
    """Of the random draws and of `fine_tune`."""

    def measure(self, classifier: Predictor, samples: int) -> ProbeScore:
        """Train the probe for a classifier, and test it.

        Args:
            classifier: fitted.
            samples: number of bootstrap samples for the intervals.

        Raises:
            ClaimkindError: the files of the data set are missing or invalid, there are too few rows, or the classifier
                cannot be fine-tuned.
        """
        train, all_test = self._split()
        test = all_test[all_test["source_label"].notna()]
        self._check(train, test)
        predicted = self._fine_tuned(classifier, train, test) if self.fine_tune else _regressed(classifier, train, test)
        truth = test["source_label"].to_numpy(dtype=str)
        return ProbeScore(
            f"{self.name}_fine_tuned" if self.fine_tune else self.name,
            "fine-tuned" if self.fine_tune else "linear probe trained",
            len(train),
            len(test),
            macro_f1_of_names(truth, predicted, samples=samples, seed=0),
            float((truth == predicted).mean()),
            self.published,
            _correlation(classifier, all_test, samples) if "certainty" in all_test else None,
        )

    def _fine_tuned(self, classifier: Predictor, train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
        """The labels that a fine-tuned copy of the classifier predicts for the test rows: (n,) names."""
        model = uncalibrated(classifier)
        if not isinstance(model, FineTunable):
            raise ClaimkindError("probe.fine_tune needs a transformer, and the model is none: leave it out")
        names, classes = np.unique(train["source_label"].to_numpy(dtype=str), return_inverse=True)
        fitted, held_out = train_test_split(
            np.arange(len(train)), test_size=_VALIDATION_SHARE, stratify=classes, random_state=self.seed
        )
        parts = [
            Examples(train["text"].iloc[rows].tolist(), np.eye(len(names))[classes[rows]])
            for rows in (fitted, held_out)
        ]
        predict = model.fine_tune(*parts, epochs=self.epochs, learning_rate=self.learning_rate, seed=self.seed)
        return np.asarray(names[predict(test["text"].tolist()).argmax(axis=1)])

    def _split(self) -> ProbeSplit:
        rows = _read(self.source, "source")
        labelled = rows["source_label"].notna()
        if self.train_rows is not None:
            drawn = np.random.default_rng(self.seed).permutation(len(rows)) < self.train_rows
            return ProbeSplit(rows[drawn & labelled], rows[~drawn])
        train, test = rows[~rows["pinned"] & labelled], rows[rows["pinned"]]
        if self.exclude:
            others = _read(self.exclude, "exclude")
            train = _without(train, others.loc[others["pinned"], "text"])
        if self.exclude_from_test:
            test = _without(test, _read(self.exclude_from_test, "exclude_from_test")["text"])
        train = _without(train, test["text"])
        if train.empty or test.empty:
            raise ClaimkindError(
                "probe.source has no training rows or no test rows, expected both: name the test files in "
                "source.always_test"
            )
        return ProbeSplit(train, test)

    def _check(self, train: pd.DataFrame, test: pd.DataFrame) -> None:
        counts = train["source_label"].value_counts()
        if len(counts) < 2 or counts.min() < _FEWEST or test.empty:
            raise ClaimkindError(
                f"probe {self.name} has {len(train)} training rows and {len(test)} test rows, expected at least "
                f"{_FEWEST} training rows of each label and one test row: change probe.train_rows, or its files"
            )


def _regressed(classifier: Predictor, train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """The labels that a regression on the features of a classifier predicts for the test rows: (n,) names."""
    probe = _regression().fit(classifier.features(train["text"].tolist()), train["source_label"])
    return np.asarray(probe.predict(classifier.features(test["text"].tolist())).astype(str))


def _correlation(classifier: Predictor, rows: pd.DataFrame, samples: int) -> Estimate:
    speculative = classifier.predict_proba(rows["text"].tolist())[:, LABELS.index("speculative")]
    return rank_correlation(speculative, rows["certainty"].to_numpy(dtype=float), samples=samples, seed=0)


def _regression() -> GridSearchCV:
    """Logistic regression, regularised by cross-validation; it weighs labels equally, as macro F1 does."""
    pipeline: Pipeline = make_pipeline(MaxAbsScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    return GridSearchCV(pipeline, {"logisticregression__C": _INVERSE_REGULARISATION}, scoring="f1_macro")


def _without(rows: pd.DataFrame, texts: pd.Series) -> pd.DataFrame:
    """The rows whose text is none of others, also where one side is tokenised."""
    return rows[~rows["text"].map(_key).isin(set(texts.map(_key)))]


def _key(text: str) -> str:
    return normalise(text).replace(" ", "")


def _read(settings: Mapping[str, Any], key: str) -> pd.DataFrame:
    rows: pd.DataFrame = build(settings, f"probe.{key}", "claimkind.dataset").read(key)
    return rows
