"""Test sets of others, whose labels are not ours: how well a small head on a model of ours tells them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from claimkind.config import build
from claimkind.dataset.near_duplicates import normalise
from claimkind.errors import ClaimkindError
from claimkind.metrics.bootstrap import Estimate, macro_f1_of_names
from claimkind.models.base import Predictor

_FEWEST = 5  # so that each fifth of the cross-validation has one
_STRENGTHS = np.logspace(-4, 2, 13)


class Parts(NamedTuple):
    """What a test set is divided into."""

    fitted: pd.DataFrame
    """Rows that a head may learn from: `text` and `source_label`."""
    tested: pd.DataFrame


class ProbeScore(NamedTuple):
    """How well a head did."""

    name: str
    fitted: int
    tested: int
    macro_f1: Estimate
    accuracy: float
    published: str

    def table(self) -> pd.DataFrame:
        """The same as one row of a table."""
        row = {"macro F1": str(self.macro_f1), "accuracy": round(self.accuracy, 3), "published": self.published}
        return pd.DataFrame([row])


class LinearProbe:
    """A test set with two labels of its own, told by a logistic regression on what the model sees of a sentence.

    The head is thrown away after it was measured: no registered model learns from these sentences.
    """

    def __init__(
        self,
        name: str,
        source: dict[str, Any],
        exclude: dict[str, Any] | None = None,
        train_rows: int | None = None,
        published: str = "",
        seed: int = 0,
    ) -> None:
        """Settings.

        Args:
            name: of the test set.
            source: settings of a source; its rows that are always on the test side are tested, a head is fitted on the
                others.
            exclude: settings of another source, whose rows on the test side the head must not be fitted on.
            train_rows: so many rows, drawn by the seed, fit the head, and all others are tested.
            published: what others report, for the table.
            seed: of the draw.
        """
        self.name, self.published, self.seed = name, published, seed
        self.source, self.exclude, self.train_rows = source, exclude, train_rows

    def measure(self, classifier: Predictor, samples: int) -> ProbeScore:
        """Fit the head on what the model sees of the sentences, and test it.

        Args:
            classifier: fitted.
            samples: number of bootstrap samples.

        Raises:
            ClaimkindError: the files of the test set are not there, or not as they should be.
        """
        fitted, tested = self._parts()
        counts = fitted["source_label"].value_counts()
        if len(counts) < 2 or counts.min() < _FEWEST or tested.empty:
            raise ClaimkindError(
                f"probe {self.name} has {len(fitted)} sentences to fit a head on and {len(tested)} to test it, "
                f"expected at least {_FEWEST} of each label and one: change probe.train_rows, or its files"
            )
        # The fitted rows decide how strongly to regularise. Macro F1 counts both labels alike, and so does the head.
        head = GridSearchCV(
            make_pipeline(MaxAbsScaler(), LogisticRegression(class_weight="balanced", max_iter=1000)),
            {"logisticregression__C": _STRENGTHS},
            scoring="f1_macro",
        )
        head.fit(classifier.features(fitted["text"].tolist()), fitted["source_label"])
        predicted = head.predict(classifier.features(tested["text"].tolist()))
        truth = tested["source_label"].to_numpy(dtype=str)
        score = macro_f1_of_names(truth, predicted.astype(str), samples=samples, seed=0)
        accuracy = float((truth == predicted).mean())
        return ProbeScore(self.name, len(fitted), len(tested), score, accuracy, self.published)

    def _parts(self) -> Parts:
        rows = _read(self.source, "source")
        if self.train_rows is not None:
            drawn = np.random.default_rng(self.seed).permutation(len(rows)) < self.train_rows
            return Parts(rows[drawn], rows[~drawn])
        pinned = rows["pinned"]
        fitted = rows[~pinned]
        if self.exclude:
            others = _read(self.exclude, "exclude")
            fitted = fitted[
                ~fitted["text"].map(normalise).isin(set(others.loc[others["pinned"], "text"].map(normalise)))
            ]
        if fitted.empty or not pinned.any():
            raise ClaimkindError(
                "probe.source has no rows to fit a head on or none to test it, expected both: name the files that "
                "are tested in source.always_test"
            )
        return Parts(fitted, rows[pinned])


def _read(settings: Mapping[str, Any], key: str) -> pd.DataFrame:
    rows: pd.DataFrame = build(settings, f"probe.{key}", "claimkind.dataset").read(key)
    return rows
