"""The linear family: TF-IDF of words and characters, logistic regression, expectation-maximisation over evidence."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import skops.io
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline

from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS, certain_rows
from claimkind.models.base import Examples, OnMetrics, check_examples, check_fitted

_FILE = "pipeline.skops"


class TfidfClassifier:
    """Logistic regression on TF-IDF features, for a strong and fast baseline."""

    def __init__(
        self,
        word_ngrams: int = 3,
        char_ngrams: int = 5,
        min_df: int = 2,
        C: float = 10.0,  # noqa: N803 - scikit-learn's name
        balanced: bool = True,
        em_steps: int = 3,
        seed: int = 0,
    ) -> None:
        """Settings.

        Args:
            word_ngrams: longest word n-gram; punctuation marks count as words.
            char_ngrams: longest character n-gram within words, 0 for none.
            min_df: an n-gram must occur in so many sentences.
            C: inverse strength of the regularisation.
            balanced: weigh classes inversely to their frequency.
            em_steps: steps of expectation-maximisation when there are rows whose class is not certain.
            seed: of the solver.
        """
        self.word_ngrams = word_ngrams
        self.char_ngrams = char_ngrams
        self.min_df = min_df
        self.C = C
        self.balanced = balanced
        self.em_steps = em_steps
        self.seed = seed
        self.pipeline_: Any = None

    def fit(
        self,
        texts: Sequence[str],
        evidence: np.ndarray,
        *,
        weights: np.ndarray | None = None,
        validation: Examples | None = None,
        work_dir: Path | None = None,
        on_metrics: OnMetrics | None = None,
    ) -> Self:
        """Fit; see `Classifier.fit`. `validation` and `work_dir` are not needed by this family.

        Rows whose class is certain give the first model. With others, expectation-maximisation goes on from it
        (Dempster, Laird and Rubin 1977): each row counts for each class with weight p(c | x) · evidence[c], normalised.
        """
        evidence = check_examples(texts, evidence)
        weights = np.ones(len(texts)) if weights is None else np.asarray(weights, dtype=np.float64)
        vectorizer = self._vectorizer()
        try:
            features = vectorizer.fit_transform(texts)
        except ValueError as error:
            raise ClaimkindError(f"the training sentences give no features ({error}): lower model.min_df") from None
        certain = certain_rows(evidence)
        if len(set(evidence[certain].argmax(axis=1))) < 2:
            raise ClaimkindError("the labelled training sentences are all of one class, expected two at least")
        regression = self._regression().fit(
            features[certain], evidence[certain].argmax(axis=1), sample_weight=weights[certain]
        )
        if not certain.all():
            self._maximise(regression, features, evidence, weights, on_metrics)
        self.pipeline_ = Pipeline([("features", vectorizer), ("regression", regression)])
        return self

    def _maximise(
        self,
        regression: LogisticRegression,
        features: sparse.csr_matrix,
        evidence: np.ndarray,
        weights: np.ndarray,
        on_metrics: OnMetrics | None,
    ) -> None:
        regression.set_params(warm_start=True)
        stacked = sparse.vstack([features] * len(LABELS), format="csr")
        classes = np.repeat(np.arange(len(LABELS)), len(evidence))
        for step in range(1, self.em_steps + 1):
            joint = _in_label_order(regression, features) * evidence
            likelihood = joint.sum(axis=1, keepdims=True)
            if on_metrics:
                mean = np.average(np.log(likelihood + 1e-12)[:, 0], weights=weights)
                on_metrics(step, {"em_log_likelihood": float(mean)})
            responsibility = (weights[:, None] * joint / (likelihood + 1e-12)).T.ravel()
            used = responsibility > 1e-3
            regression.fit(stacked[used], classes[used], sample_weight=responsibility[used])

    def _vectorizer(self) -> FeatureUnion:
        # Punctuation stays: quotation marks and question marks tell reports and questions from claims.
        word = r"\w+|[^\w\s]"
        words = TfidfVectorizer(
            ngram_range=(1, self.word_ngrams), token_pattern=word, min_df=self.min_df, sublinear_tf=True
        )
        parts = [("words", words)]
        if self.char_ngrams:
            characters = TfidfVectorizer(
                analyzer="char_wb", ngram_range=(2, self.char_ngrams), min_df=self.min_df, sublinear_tf=True
            )
            parts.append(("characters", characters))
        return FeatureUnion(parts)

    def _regression(self) -> LogisticRegression:
        return LogisticRegression(
            C=self.C, class_weight="balanced" if self.balanced else None, max_iter=1000, random_state=self.seed
        )

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """Probabilities; see `Predictor.predict_proba`."""
        check_fitted(self.pipeline_)
        if not len(texts):
            return np.zeros((0, len(LABELS)))
        return _in_label_order(self.pipeline_["regression"], self.features(texts))

    def features(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """The weights of the n-grams; see `Predictor.features`."""
        check_fitted(self.pipeline_)
        return self.pipeline_["features"].transform(texts)

    def strongest(self, count: int) -> dict[str, list[tuple[str, float]]]:
        """The word n-grams that speak most for each class, with their weights in logits, the strongest first."""
        check_fitted(self.pipeline_)
        regression = self.pipeline_["regression"]
        words = dict(self.pipeline_["features"].transformer_list)["words"].get_feature_names_out()
        weights = regression.coef_[:, : len(words)]
        if len(weights) == 1:  # of two classes, only the second has weights of its own
            weights = np.concatenate([-weights, weights])
        return {
            LABELS[label]: [(str(words[index]), float(row[index])) for index in np.argsort(-row)[:count]]
            for label, row in zip(regression.classes_, weights, strict=True)
        }

    def save(self, folder: Path) -> None:
        """Save as skops, of types that skops trusts by itself."""
        check_fitted(self.pipeline_)
        skops.io.dump(self.pipeline_, folder / _FILE)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load; no type is trusted beyond those that skops trusts by itself.

        Raises:
            ClaimkindError: the file needs other types, or is no such file.
        """
        classifier = cls()
        try:
            classifier.pipeline_ = skops.io.load(folder / _FILE, trusted=[])
        except Exception as error:
            raise ClaimkindError(
                f"{folder / _FILE} does not load ({str(error).splitlines()[0]}), expected a TF-IDF model: train again"
            ) from None
        return classifier


def _in_label_order(regression: LogisticRegression, features: sparse.csr_matrix) -> np.ndarray:
    """Probabilities with a column for each label, 0 for one that no training row had."""
    probabilities = np.zeros((features.shape[0], len(LABELS)))
    probabilities[:, regression.classes_] = regression.predict_proba(features)
    return probabilities
