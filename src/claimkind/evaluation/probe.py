"""Linear probes: external test sets with labels of their own, on which a model's features are evaluated."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from claimkind.config import build
from claimkind.dataset.near_duplicates import normalise
from claimkind.errors import ClaimkindError
from claimkind.metrics.bootstrap import Estimate, macro_f1_of_names
from claimkind.models.base import Predictor

_FEWEST = 5  # so that each of the five folds of the cross-validation has one
_INVERSE_REGULARISATION = np.logspace(-4, 2, 13)


class ProbeSplit(NamedTuple):
    """The rows of a probe, each with `text` and `source_label`."""

    train: pd.DataFrame
    test: pd.DataFrame


class ProbeScore(NamedTuple):
    """The results of a probe."""

    name: str
    train_size: int
    test_size: int
    macro_f1: Estimate
    accuracy: float
    published: str

    def table(self) -> pd.DataFrame:
        """The results as a table of one row."""
        row = {"macro F1": str(self.macro_f1), "accuracy": round(self.accuracy, 3), "published": self.published}
        return pd.DataFrame([row])


@dataclass(frozen=True)
class LinearProbe:
    """A logistic regression on the features of a model, trained and tested on an external data set.

    It measures how well the features separate the labels of that data set (Alain and Bengio 2016); the model itself
    does not change.
    """

    name: str
    """Of the data set."""
    source: dict[str, Any]
    """Settings of the data set's source. The rows of its `always_test` files are the test rows, the others the training
    rows."""
    exclude: dict[str, Any] | None = None
    """Settings of another source, whose test sentences are excluded from the training rows."""
    train_rows: int | None = None
    """Number of training rows to draw at random from all rows, where the data set has no test files; the others are the
    test rows."""
    published: str = ""
    """Results published by others, for the table."""
    seed: int = 0
    """Of the random draw."""

    def measure(self, classifier: Predictor, samples: int) -> ProbeScore:
        """Train the probe on the features of a classifier, and test it.

        Args:
            classifier: fitted.
            samples: number of bootstrap samples for the interval.

        Raises:
            ClaimkindError: the files of the data set are missing or invalid, or there are too few rows.
        """
        train, test = self._split()
        self._check(train, test)
        probe = _regression()
        probe.fit(classifier.features(train["text"].tolist()), train["source_label"])
        predicted = probe.predict(classifier.features(test["text"].tolist()))
        truth = test["source_label"].to_numpy(dtype=str)
        macro_f1 = macro_f1_of_names(truth, predicted.astype(str), samples=samples, seed=0)
        accuracy = float((truth == predicted).mean())
        return ProbeScore(self.name, len(train), len(test), macro_f1, accuracy, self.published)

    def _split(self) -> ProbeSplit:
        rows = _read(self.source, "source")
        if self.train_rows is not None:
            drawn = np.random.default_rng(self.seed).permutation(len(rows)) < self.train_rows
            return ProbeSplit(rows[drawn], rows[~drawn])
        train, test = rows[~rows["pinned"]], rows[rows["pinned"]]
        if self.exclude:
            others = _read(self.exclude, "exclude")
            excluded = set(others.loc[others["pinned"], "text"].map(normalise))
            train = train[~train["text"].map(normalise).isin(excluded)]
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


def _regression() -> GridSearchCV:
    """Logistic regression, regularised by cross-validation; it weighs labels equally, as macro F1 does."""
    pipeline: Pipeline = make_pipeline(MaxAbsScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    return GridSearchCV(pipeline, {"logisticregression__C": _INVERSE_REGULARISATION}, scoring="f1_macro")


def _read(settings: Mapping[str, Any], key: str) -> pd.DataFrame:
    rows: pd.DataFrame = build(settings, f"probe.{key}", "claimkind.dataset").read(key)
    return rows
