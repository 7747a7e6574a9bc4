"""The linear family: TF-IDF of words, characters and skeletons, logistic regression, learning from evidence by EM."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from pathlib import Path
from typing import Any, Self

import numpy as np
import skops.io
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS, certain_rows
from claimkind.models.base import Examples, OnMetrics, check_examples, check_fitted

_FILE = "tfidf.skops"
_WORD = r"\w+|[^\w\s]"
_QUOTATION_MARKS = '"“”'
_ENDING = 3


class TfidfClassifier:
    """Logistic regression on TF-IDF features, for a strong and fast baseline."""

    on_one_core = True
    """Prediction is plain Python and keeps one core busy, so that scoring runs a process on each."""

    def __init__(
        self,
        word_ngrams: int = 3,
        char_ngrams: int = 5,
        cues: int = 400,
        min_df: int = 2,
        C: float = 3.0,  # noqa: N803 - scikit-learn's name
        balanced: bool = True,
        em_steps: int = 3,
        seed: int = 0,
    ) -> None:
        """Settings.

        Args:
            word_ngrams: longest word n-gram; punctuation marks count as words.
            char_ngrams: longest character n-gram within words, 0 for none.
            cues: so many of the most frequent words are told from each other in skeletons and pairs (see `_skeleton`,
                `_pairs`); 0 leaves both out, which trains and scores faster.
            min_df: an n-gram must occur in so many sentences.
            C: inverse strength of the regularisation.
            balanced: weigh classes inversely to their frequency.
            em_steps: steps of expectation-maximisation when there are rows whose class is not certain.
            seed: of the solver.
        """
        self.word_ngrams = word_ngrams
        self.char_ngrams = char_ngrams
        self.cues = cues
        self.min_df = min_df
        self.C = C
        self.balanced = balanced
        self.em_steps = em_steps
        self.seed = seed
        self.features_: Any = None
        self.regression_: Any = None

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

        Rows whose class is certain give the first model, or if there are none, all rows with all classes as likely.
        With others, expectation-maximisation goes on from it (Dempster, Laird and Rubin 1977): each row counts for each
        class with weight p(c | x) · evidence[c], normalised.
        """
        evidence = check_examples(texts, evidence)
        weights = np.ones(len(texts)) if weights is None else np.asarray(weights, dtype=np.float64)
        features_of = _Features(self.word_ngrams, self.char_ngrams, self.cues, self.min_df)
        try:
            features = features_of.fit_transform(texts)
        except ValueError as error:
            raise ClaimkindError(f"the training sentences give no features ({error}): lower model.min_df") from None
        certain = certain_rows(evidence)
        if len(set(evidence[certain].argmax(axis=1))) > 1:
            regression = self._regression().fit(
                features[certain], evidence[certain].argmax(axis=1), sample_weight=weights[certain]
            )
        elif certain.all():
            raise ClaimkindError("the labelled training sentences are all of one class, expected two at least")
        else:  # nothing to start from but what the sources say
            regression = self._fit_shares(self._regression(), features, evidence, weights)
        if not certain.all():
            self._maximise(regression, features, evidence, weights, on_metrics)
        self.features_, self.regression_ = features_of, regression
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
        for step in range(1, self.em_steps + 1):
            joint = _in_label_order(regression, features) * evidence
            if on_metrics:
                mean = np.average(np.log(joint.sum(axis=1) + 1e-12), weights=weights)
                on_metrics(step, {"em_log_likelihood": float(mean)})
            self._fit_shares(regression, features, joint, weights)

    def _fit_shares(
        self, regression: LogisticRegression, features: sparse.csr_matrix, joint: np.ndarray, weights: np.ndarray
    ) -> LogisticRegression:
        """Fit each row as one of each class, weighted by the share that the class has in the row of `joint`."""
        shares = (weights[:, None] * joint / (joint.sum(axis=1, keepdims=True) + 1e-12)).T.ravel()
        used = shares > 1e-3
        stacked = sparse.vstack([features] * len(LABELS), format="csr")
        classes = np.repeat(np.arange(len(LABELS)), len(joint))
        return regression.fit(stacked[used], classes[used], sample_weight=shares[used])

    def _regression(self) -> LogisticRegression:
        return LogisticRegression(
            C=self.C, class_weight="balanced" if self.balanced else None, max_iter=1000, random_state=self.seed
        )

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """Probabilities; see `Predictor.predict_proba`."""
        check_fitted(self.features_)
        if not len(texts):
            return np.zeros((0, len(LABELS)))
        return _in_label_order(self.regression_, self.features(texts))

    def features(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """The weights of the n-grams; see `Predictor.features`."""
        check_fitted(self.features_)
        return self.features_.transform(texts)

    def windows(self, texts: Sequence[str]) -> np.ndarray:
        """1 each: a text of any length is read at once; see `Predictor.windows`."""
        return np.ones(len(texts), dtype=np.int64)

    def strongest(self, count: int) -> dict[str, list[tuple[str, float]]]:
        """The word n-grams that speak most for each class, with their weights in logits, the strongest first."""
        check_fitted(self.features_)
        words = self.features_.views["words"].get_feature_names_out()
        weights = self.regression_.coef_[:, : len(words)]
        if len(weights) == 1:  # of two classes, only the second has weights of its own
            weights = np.concatenate([-weights, weights])
        return {
            LABELS[label]: [(str(words[index]), float(row[index])) for index in np.argsort(-row)[:count]]
            for label, row in zip(self.regression_.classes_, weights, strict=True)
        }

    def save(self, folder: Path) -> None:
        """Save as skops, of types that skops trusts by itself."""
        check_fitted(self.features_)
        parts = {"cues": self.features_.cues, "views": self.features_.views, "regression": self.regression_}
        skops.io.dump(parts, folder / _FILE)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load; no type is trusted beyond those that skops trusts by itself.

        Raises:
            ClaimkindError: the file needs other types, or is no such file.
        """
        classifier = cls()
        try:
            parts = skops.io.load(folder / _FILE, trusted=[])
            classifier.features_ = _Features.restored(parts["cues"], parts["views"])
            classifier.regression_ = parts["regression"]
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


class _Features:
    """TF-IDF of several views of a sentence, side by side."""

    def __init__(self, word_ngrams: int, char_ngrams: int, cues: int, min_df: int) -> None:
        self.cues: list[str] = []
        self.wanted_cues = cues
        settings = {"min_df": min_df, "sublinear_tf": True}
        # Punctuation stays: quotation marks and question marks tell reports and questions from claims.
        self.views = {"words": TfidfVectorizer(ngram_range=(1, word_ngrams), token_pattern=_WORD, **settings)}
        if char_ngrams:
            self.views["characters"] = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, char_ngrams), **settings)
        if cues:
            spaced = {"token_pattern": r"\S+", "lowercase": False, **settings}
            self.views["skeleton"] = TfidfVectorizer(ngram_range=(1, 4), **spaced)
            self.views["pairs"] = TfidfVectorizer(**spaced)

    @classmethod
    def restored(cls, cues: list[str], views: dict[str, TfidfVectorizer]) -> Self:
        """From what was saved."""
        features = cls(1, 0, 0, 1)
        features.cues, features.views = cues, views
        return features

    def fit_transform(self, texts: Sequence[str]) -> sparse.csr_matrix:
        occurs = Counter(word for text in texts for word in set(re.findall(_WORD, text.lower())))
        # Ties by the alphabet: which words are cues must not hang on the order of a set.
        self.cues = sorted(occurs, key=lambda word: (-occurs[word], word))[: self.wanted_cues]
        return self._stacked([view.fit_transform(self._seen_by(name, texts)) for name, view in self.views.items()])

    def transform(self, texts: Sequence[str]) -> sparse.csr_matrix:
        return self._stacked([view.transform(self._seen_by(name, texts)) for name, view in self.views.items()])

    def _stacked(self, parts: list[sparse.csr_matrix]) -> sparse.csr_matrix:
        return sparse.hstack(parts, format="csr")

    def _seen_by(self, view: str, texts: Sequence[str]) -> Iterable[str]:
        cues = frozenset(self.cues)
        if view == "skeleton":
            return (_skeleton(text, cues) for text in texts)
        if view == "pairs":
            return (_pairs(text, cues) for text in texts)
        return texts


def _skeleton(text: str, cues: Set[str]) -> str:
    """The frequent words of a sentence, in order, with other words replaced by their kind.

    *"Rain fell," he said in Oslo.* becomes `Q Capital -ell , Q he said in Capital .`: its n-grams see how a sentence
    is built, across words that training never saw together.
    """
    return " ".join(_kind(word, cues) for word in re.findall(_WORD, text))


def _kind(word: str, cues: Set[str]) -> str:
    if word in _QUOTATION_MARKS:
        return "Q"
    if word[0].isdigit():
        return "0"
    if word[0].isupper() and len(word) > 1:
        return "Capital"
    if word.lower() in cues or len(word) <= _ENDING:
        return word
    return f"-{word[-_ENDING:]}"


def _pairs(text: str, cues: Set[str]) -> str:
    """Each two frequent words of a sentence, wherever they stand: `he~said`, `said~will`."""
    found = sorted(set(re.findall(_WORD, text.lower())) & cues)
    return " ".join(f"{one}~{other}" for one, other in itertools.combinations(found, 2))
