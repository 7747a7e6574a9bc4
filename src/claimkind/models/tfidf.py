"""The linear family: TF-IDF of words, characters and skeletons, logistic regression, learning from evidence by EM."""

import functools
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, Self

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS
from claimkind.models.base import Examples, OnMetrics, check_examples, check_fitted, check_settings
from claimkind.models.regression import LEAST_C, fit_regression, in_label_order

_WEIGHTS, _NGRAMS = "tfidf.safetensors", "ngrams.json"
_WORD = r"\w+|[^\w\s]"
_QUOTATION_MARKS = '"“”'
_ENDING = 3
# How each view is cut into what its n-grams are made of. Punctuation stays: quotation marks and question marks tell
# reports and questions from claims.
_CUT: dict[str, dict[str, Any]] = {
    "words": {"token_pattern": _WORD},
    "characters": {"analyzer": "char_wb"},
    "skeleton": {"token_pattern": r"\S+", "lowercase": False},
    "pairs": {"token_pattern": r"\S+", "lowercase": False},
}
_LEARNED = ("coef_", "intercept_", "classes_")  # by the regression
_WORDS_REMEMBERED = 1 << 16  # some 20 MB
_LONGEST_REMEMBERED = 50  # what is longer is an address or a slip, and does not come again


class TfidfClassifier:
    """Logistic regression on TF-IDF features, for a strong and fast baseline."""

    single_threaded = True
    """Prediction is plain Python and keeps one core busy, so that scoring runs a process on each."""

    evidence_weight = 1.0

    def __init__(
        self,
        word_ngrams: int = 3,
        char_ngrams: int = 5,
        cues: int = 400,
        min_df: int = 2,
        C: float = 3.0,  # noqa: N803 - scikit-learn's name
        balanced: bool = True,
        em_steps: int = 2,
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

        Raises:
            ClaimkindError: a setting is out of range.
        """
        check_settings(
            word_ngrams=(word_ngrams, 1, 10), char_ngrams=(char_ngrams, 0, 20), cues=(cues, 0, np.inf),
            min_df=(min_df, 1, np.inf), C=(C, LEAST_C, np.inf), em_steps=(em_steps, 0, 100),
        )  # fmt: skip
        if char_ngrams == 1:
            raise ClaimkindError("model.char_ngrams=1, expected 0 or at least 2: the shortest that is used has two")
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

        Rows whose class is not certain are learned from by expectation-maximisation; see `fit_regression`.
        """
        evidence = check_examples(texts, evidence)
        weights = np.ones(len(texts)) if weights is None else np.asarray(weights, dtype=np.float64)
        features_of = _Features(self._ranges(), self.cues, min_df=self.min_df)
        try:
            features = features_of.fit_transform(texts)
        except ValueError as error:
            raise ClaimkindError(f"the training sentences give no features ({error}): lower model.min_df") from None
        regression = LogisticRegression(
            C=self.C, class_weight="balanced" if self.balanced else None, max_iter=1000, random_state=self.seed
        )
        fit_regression(regression, features, evidence, weights, self.em_steps, on_metrics)
        self.features_, self.regression_ = features_of, regression
        return self

    def _ranges(self) -> dict[str, tuple[int, int]]:
        """By view the shortest and the longest n-gram."""
        ranges = {"words": (1, self.word_ngrams)}
        if self.char_ngrams:
            ranges["characters"] = (2, self.char_ngrams)
        if self.cues:
            ranges |= {"skeleton": (1, 4), "pairs": (1, 1)}
        return ranges

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """Probabilities; see `Predictor.predict_proba`."""
        check_fitted(self.features_)
        if not len(texts):
            return np.zeros((0, len(LABELS)))
        return in_label_order(self.regression_, self.features(texts))

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
        """Save weights as safetensors, n-grams as JSON: a model of 400,000 n-grams loads in two seconds."""
        check_fitted(self.features_)
        features, regression = self.features_, self.regression_
        arrays = {name: getattr(regression, name) for name in _LEARNED}
        arrays |= {f"idf.{name}": view.idf_ for name, view in features.views.items()}
        save_file({name: np.ascontiguousarray(values) for name, values in arrays.items()}, folder / _WEIGHTS)
        ngrams = {
            "ranges": features.ranges,
            "cues": features.cues,
            "views": {name: view.get_feature_names_out().tolist() for name, view in features.views.items()},
        }
        (folder / _NGRAMS).write_text(json.dumps(ngrams, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load from data alone.

        Raises:
            ClaimkindError: the folder holds no such model.
        """
        classifier = cls()
        try:
            arrays = load_file(folder / _WEIGHTS)
            ngrams = json.loads((folder / _NGRAMS).read_text(encoding="utf-8"))
            classifier.features_ = _Features.restored(ngrams, arrays)
            classifier.regression_ = _restored_regression(arrays, sum(map(len, ngrams["views"].values())))
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ClaimkindError(
                f"{folder / _WEIGHTS} does not load ({reason}), expected a TF-IDF model: train again"
            ) from None
        return classifier


def _restored_regression(arrays: Mapping[str, np.ndarray], features: int) -> LogisticRegression:
    """A fitted regression from what was saved of it."""
    if arrays["coef_"].shape[1] != features:
        raise ValueError(f"{arrays['coef_'].shape[1]} weights for {features} n-grams")
    regression = LogisticRegression()
    regression.n_features_in_ = features
    for name in _LEARNED:
        setattr(regression, name, arrays[name])
    return regression


class _Features:
    """TF-IDF of several views of a sentence, side by side."""

    def __init__(self, ranges: Mapping[str, Sequence[int]], cues: int, **settings: Any) -> None:
        """Settings.

        Args:
            ranges: by view the shortest and the longest n-gram; a view that is not named is left out.
            cues: so many cues.
            settings: of the vectorisers.
        """
        self.ranges, self.wanted_cues = dict(ranges), cues
        self.cues: list[str] = []
        self._columns_of = functools.lru_cache(_WORDS_REMEMBERED)(self._look_up)
        self.views = {
            name: TfidfVectorizer(ngram_range=tuple(sizes), sublinear_tf=True, **_CUT[name], **settings)
            for name, sizes in ranges.items()
        }

    @classmethod
    def restored(cls, ngrams: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """From what was saved."""
        features = cls(ngrams["ranges"], len(ngrams["cues"]))
        features.cues = ngrams["cues"]
        for name, view in features.views.items():
            view.vocabulary = {ngram: column for column, ngram in enumerate(ngrams["views"][name])}
            view.idf_ = arrays[f"idf.{name}"]
        return features

    def fit_transform(self, texts: Sequence[str]) -> sparse.csr_matrix:
        occurs = Counter(word for text in texts for word in set(re.findall(_WORD, text.lower())))
        # Ties by the alphabet: which words are cues must not hang on the order of a set.
        self.cues = sorted(occurs, key=lambda word: (-occurs[word], word))[: self.wanted_cues]
        return self._stacked([view.fit_transform(self._seen_by(name, texts)) for name, view in self.views.items()])

    def transform(self, texts: Sequence[str]) -> sparse.csr_matrix:
        # What these two views spend most on is looked up here; the result is what their vectorisers give.
        direct = {"characters": self._character_columns, "pairs": self._pair_columns}
        return self._stacked(
            [
                _weigh(view, map(direct[name], texts)) if name in direct else view.transform(self._seen_by(name, texts))
                for name, view in self.views.items()
            ]
        )

    def by_vectorisers(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """The same as `transform`, by the vectorisers alone: what that is tested and measured against."""
        return self._stacked([view.transform(self._seen_by(name, texts)) for name, view in self.views.items()])

    def _character_columns(self, text: str) -> list[int]:
        return list(
            itertools.chain.from_iterable(
                self._columns_of(word) if len(word) <= _LONGEST_REMEMBERED else self._look_up(word)
                for word in text.lower().split()
            )
        )

    def _look_up(self, word: str) -> tuple[int, ...]:
        """The columns of a word's character n-grams."""
        view = self.views["characters"]
        found = (view.vocabulary_.get(ngram) for ngram in view.build_analyzer()(word))
        return tuple(column for column in found if column is not None)

    def _pair_columns(self, text: str) -> list[int]:
        found = map(self.views["pairs"].vocabulary_.get, _pairs(text, self._cue_set))
        return [column for column in found if column is not None]

    def _stacked(self, parts: list[sparse.csr_matrix]) -> sparse.csr_matrix:
        return sparse.hstack(parts, format="csr")

    @functools.cached_property
    def _cue_set(self) -> frozenset[str]:
        return frozenset(self.cues)  # asked for only once the cues are known

    def _seen_by(self, view: str, texts: Sequence[str]) -> Iterable[str]:
        cues = self._cue_set
        if view == "skeleton":
            return (_skeleton(text, cues) for text in texts)
        if view == "pairs":
            return (" ".join(_pairs(text, cues)) for text in texts)
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


def _pairs(text: str, cues: Set[str]) -> list[str]:
    """Each two frequent words of a sentence, wherever they stand: `he~said`, `said~will`."""
    found = sorted(set(re.findall(_WORD, text.lower())) & cues)
    return [f"{one}~{other}" for one, other in itertools.combinations(found, 2)]


def _weigh(view: TfidfVectorizer, columns: Iterable[list[int]]) -> sparse.csr_matrix:
    """What `view` makes of texts of which it is known on which columns their n-grams fall."""
    rows = list(columns)
    flat = np.fromiter(itertools.chain.from_iterable(rows), dtype=np.int32)
    ends = np.cumsum([0, *map(len, rows)])
    counts = sparse.csr_matrix((np.ones(len(flat)), flat, ends), shape=(len(rows), len(view.vocabulary_)))
    counts.sum_duplicates()
    counts.data = (1 + np.log(counts.data)) * view.idf_[counts.indices]
    return normalize(counts, copy=False)
