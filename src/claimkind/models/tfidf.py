"""The linear family: TF-IDF of words, characters and sentence skeletons with logistic regression, the baseline."""

import functools
import itertools
import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from claimkind.errors import ClaimkindError, first_line
from claimkind.labels import LABELS
from claimkind.manifest import read_json
from claimkind.models.base import Examples, OnMetrics, check_examples, check_fitted
from claimkind.models.regression import SMALLEST_C, check_finite, fit_regression, in_label_order, new_regression
from claimkind.models.settings import SETTINGS, check_ranges, load_settings, save_settings

_LOGGER = logging.getLogger(__name__)
_WEIGHTS, _NGRAMS = "tfidf.safetensors", "ngrams.json"
_MOST_BYTES = 1 << 30  # of the n-grams
_WORD = r"\w+|[^\w\s]"
_QUOTATION_MARKS = '"“”'
_ENDING = 3  # letters of a rare word's ending that a skeleton keeps
# How each view of a sentence is tokenised. Punctuation is kept: quotation marks and question marks distinguish reports
# and questions from claims.
_TOKENISED_BY: dict[str, dict[str, Any]] = {
    "words": {"token_pattern": _WORD},
    "characters": {"analyzer": "char_wb"},
    "skeleton": {"token_pattern": r"\S+", "lowercase": False},
    "pairs": {"token_pattern": r"\S+", "lowercase": False},
}
_LEARNED = ("coef_", "intercept_", "classes_")  # attributes of the fitted regression
_CACHED_WORDS = 1 << 16  # some 20 MB
_LONGEST_CACHED = 50  # a longer word is an address or a typing error, and rarely occurs twice


@dataclass(frozen=True)
class TfidfSettings:
    """Settings of `TfidfClassifier`.

    Raises:
        ClaimkindError: a setting is out of range.
    """

    word_ngrams: int = 3
    """Longest word n-gram, 1 to 10; punctuation marks count as words."""
    char_ngrams: int = 5
    """Longest character n-gram within words, 2 to 20; 0 leaves character n-grams out."""
    cues: int = 400
    """Number of the most frequent words that skeletons and pairs distinguish (see `_skeleton` and `_pairs`); 0 leaves
    both out, which trains and scores faster."""
    min_df: int = 2
    """Number of sentences that an n-gram must occur in to be a feature."""
    C: float = 3.0
    """Inverse strength of the regularisation, above 0."""
    balanced: bool = True
    """Whether classes are weighted inversely to their frequency."""
    em_steps: int = 2
    """Steps of expectation-maximisation, 0 to 100; used only if there are rows without a label."""
    seed: int = 0
    """Not used: the solver computes the same for every seed."""

    def __post_init__(self) -> None:
        check_ranges(
            self,
            word_ngrams=(1, 10),
            char_ngrams=(0, 20),
            cues=(0, np.inf),
            min_df=(1, np.inf),
            C=(SMALLEST_C, np.inf),
            em_steps=(0, 100),
        )
        if self.char_ngrams == 1:
            raise ClaimkindError("model.char_ngrams=1, expected 0 or at least 2: the shortest that is used has two")


class TfidfClassifier:
    """Logistic regression on TF-IDF features: a strong and fast baseline."""

    single_threaded = True
    seed_has_no_effect = True
    compute_dtype = "fp64, CPU"
    abstain_below = 0.0
    evidence_weight = 1.0
    requirements = ("safetensors", "scikit-learn")
    files = (SETTINGS, _WEIGHTS, _NGRAMS)

    def __init__(self, settings: TfidfSettings = TfidfSettings()) -> None:
        """Keep the settings; `fit` or `load` makes the features and the weights."""
        self.settings = settings
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
        """Fit; see `Classifier.fit`. `validation` and `work_dir` are not used.

        Rows without a hard label are learned from by expectation-maximisation; see `fit_regression`.
        """
        evidence, weights = check_examples(texts, evidence, weights)
        settings = self.settings
        extractor = _Features(self._ngram_ranges(), settings.cues, min_df=settings.min_df)
        try:
            _LOGGER.info("counting n-grams in %d sentences", len(texts))
            features = extractor.fit_transform(texts)
        except ValueError as error:
            raise ClaimkindError(f"the training sentences give no features ({error}): lower model.min_df") from None
        regression = new_regression(settings.C, settings.balanced, settings.seed)
        fit_regression(regression, features, evidence, weights, settings.em_steps, on_metrics)
        self.features_, self.regression_ = extractor, regression
        return self

    def _ngram_ranges(self) -> dict[str, tuple[int, int]]:
        """By view the shortest and the longest n-gram."""
        ranges = {"words": (1, self.settings.word_ngrams)}
        if self.settings.char_ngrams:
            ranges["characters"] = (2, self.settings.char_ngrams)
        if self.settings.cues:
            ranges |= {"skeleton": (1, 4), "pairs": (1, 1)}
        return ranges

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """See `Predictor.predict_proba`."""
        check_fitted(self.features_)
        if not len(texts):
            return np.zeros((0, len(LABELS)))
        return in_label_order(self.regression_, self.features(texts))

    def features(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """TF-IDF weights of the n-grams; see `Predictor.features`."""
        check_fitted(self.features_)
        return self.features_.transform(texts)

    def windows(self, texts: Sequence[str]) -> np.ndarray:
        """Always 1: the length of a text is not limited; see `Predictor.windows`."""
        return np.ones(len(texts), dtype=np.int64)

    def strongest(self, count: int) -> dict[str, list[tuple[str, float]]]:
        """By label the `count` word n-grams with the highest weights (in logits), the highest first."""
        check_fitted(self.features_)
        words = self.features_.views["words"].get_feature_names_out()
        weights = self.regression_.coef_[:, : len(words)]
        if len(weights) == 1:  # with two classes, scikit-learn keeps the weights of the second only
            weights = np.concatenate([-weights, weights])
        return {
            LABELS[label]: [(str(words[index]), float(row[index])) for index in np.argsort(-row)[:count]]
            for label, row in zip(self.regression_.classes_, weights, strict=True)
        }

    def save(self, folder: Path) -> None:
        """Save weights as safetensors, n-grams and settings as JSON; 400,000 n-grams load in two seconds."""
        check_fitted(self.features_)
        features, regression = self.features_, self.regression_
        arrays = {name: vars(regression)[name] for name in _LEARNED}
        arrays |= {f"idf.{name}": view.idf_ for name, view in features.views.items()}
        save_file({name: np.ascontiguousarray(values) for name, values in arrays.items()}, folder / _WEIGHTS)
        ngrams = {
            "ranges": features.ranges,
            "cues": features.cues,
            "views": {name: view.get_feature_names_out().tolist() for name, view in features.views.items()},
        }
        (folder / _NGRAMS).write_text(json.dumps(ngrams, ensure_ascii=False) + "\n", encoding="utf-8")
        save_settings(self.settings, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load a saved model.

        Raises:
            ClaimkindError: a file is missing or damaged, or the weights do not belong to the n-grams.
        """
        classifier = cls(load_settings(folder, TfidfSettings))
        try:
            arrays = load_file(folder / _WEIGHTS)
            check_finite(arrays)
            ngrams = read_json(folder / _NGRAMS, _MOST_BYTES)
            if ngrams["ranges"] != {name: list(sizes) for name, sizes in classifier._ngram_ranges().items()}:
                raise ValueError("its n-grams are of other lengths than its settings say")
            classifier.features_ = _Features.restored(ngrams, arrays)
            classifier.regression_ = _restored_regression(arrays, sum(map(len, ngrams["views"].values())))
        except Exception as error:
            reason = first_line(error)
            raise ClaimkindError(
                f"{folder / _WEIGHTS} does not load ({reason}), expected a TF-IDF model: train again"
            ) from None
        return classifier


def _restored_regression(arrays: Mapping[str, np.ndarray], features: int) -> LogisticRegression:
    """A fitted regression made from its saved arrays."""
    classes = arrays["classes_"].tolist()
    if len(classes) < 2 or classes != [label for label in range(len(LABELS)) if label in classes]:
        raise ValueError(f"its classes are {classes}")
    # With two classes, scikit-learn keeps the weights of the second only.
    rows = len(classes) if len(classes) > 2 else 1
    if arrays["coef_"].shape != (rows, features) or arrays["intercept_"].shape != (rows,):
        raise ValueError(
            f"weights of shape {arrays['coef_'].shape} and {arrays['intercept_'].shape} for {features} n-grams and "
            f"{len(classes)} classes"
        )
    regression = LogisticRegression()
    regression.n_features_in_ = features
    for name in _LEARNED:
        setattr(regression, name, arrays[name])
    return regression


class _Features:
    """TF-IDF features of several views of a sentence, concatenated."""

    def __init__(self, ranges: Mapping[str, Sequence[int]], cues: int, **settings: Any) -> None:
        """Settings.

        Args:
            ranges: by view the shortest and the longest n-gram; other views are left out.
            cues: number of cues, the most frequent words of the training sentences.
            settings: of the vectorisers.
        """
        self.ranges, self.cue_count = dict(ranges), cues
        self.cues: list[str] = []
        self._cached_columns = functools.lru_cache(_CACHED_WORDS)(self._columns_of_word)
        self.views = {
            name: TfidfVectorizer(ngram_range=tuple(sizes), sublinear_tf=True, **_TOKENISED_BY[name], **settings)
            for name, sizes in ranges.items()
        }

    @classmethod
    def restored(cls, ngrams: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """Fitted features made from the saved n-grams and IDF weights."""
        features = cls(ngrams["ranges"], len(ngrams["cues"]))
        features.cues = ngrams["cues"]
        for name, view in features.views.items():
            view.vocabulary = {ngram: column for column, ngram in enumerate(ngrams["views"][name])}
            view.idf_ = arrays[f"idf.{name}"]
            if len(view.vocabulary) != len(ngrams["views"][name]) or view.idf_.shape != (len(view.vocabulary),):
                raise ValueError(f"{len(view.vocabulary)} n-grams with {view.idf_.shape} IDF weights in {name}")
        return features

    def fit_transform(self, texts: Sequence[str]) -> sparse.csr_matrix:
        frequencies = Counter(word for text in texts for word in set(re.findall(_WORD, text.lower())))
        # Ties in alphabetical order: the order of a set differs between processes.
        self.cues = sorted(frequencies, key=lambda word: (-frequencies[word], word))[: self.cue_count]
        return _concatenated([view.fit_transform(self._view(name, texts)) for name, view in self.views.items()])

    def transform(self, texts: Sequence[str]) -> sparse.csr_matrix:
        # Most time goes to these two views. Looking their columns up gives what the vectorisers give, faster.
        direct = {"characters": self._character_columns, "pairs": self._pair_columns}
        return _concatenated(
            [
                _tfidf(view, map(direct[name], texts)) if name in direct else view.transform(self._view(name, texts))
                for name, view in self.views.items()
            ]
        )

    def by_vectorisers(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """As `transform`, computed by the vectorisers of scikit-learn alone: the reference of tests and benchmarks."""
        return _concatenated([view.transform(self._view(name, texts)) for name, view in self.views.items()])

    def _character_columns(self, text: str) -> list[int]:
        """The column of each character n-gram of a text."""
        return list(
            itertools.chain.from_iterable(
                self._cached_columns(word) if len(word) <= _LONGEST_CACHED else self._columns_of_word(word)
                for word in text.lower().split()
            )
        )

    def _columns_of_word(self, word: str) -> tuple[int, ...]:
        view = self.views["characters"]
        found = (view.vocabulary_.get(ngram) for ngram in view.build_analyzer()(word))
        return tuple(column for column in found if column is not None)

    def _pair_columns(self, text: str) -> list[int]:
        """The column of each pair of cues in a text."""
        found = map(self.views["pairs"].vocabulary_.get, _pairs(text, self._cue_set))
        return [column for column in found if column is not None]

    @functools.cached_property
    def _cue_set(self) -> frozenset[str]:
        return frozenset(self.cues)  # first read when the cues are known

    def _view(self, name: str, texts: Sequence[str]) -> Iterable[str]:
        """The texts as the vectoriser of a view reads them."""
        cues = self._cue_set
        if name == "skeleton":
            return (_skeleton(text, cues) for text in texts)
        if name == "pairs":
            return (" ".join(_pairs(text, cues)) for text in texts)
        return texts


def _concatenated(parts: list[sparse.csr_matrix]) -> sparse.csr_matrix:
    return sparse.hstack(parts, format="csr")


def _skeleton(text: str, cues: Set[str]) -> str:
    """The cues of a sentence in order, with every other word replaced by its kind.

    *"Rain fell," he said in Oslo.* becomes `Q Capital -ell , Q he said in Capital .`: n-grams of skeletons describe how
    a sentence is built, also for words that training never saw together.
    """
    return " ".join(_word_kind(word, cues) for word in re.findall(_WORD, text))


def _word_kind(word: str, cues: Set[str]) -> str:
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
    """All pairs of cues in a sentence, wherever they stand: `he~said`, `said~will`."""
    found = sorted(set(re.findall(_WORD, text.lower())) & cues)
    return [f"{first}~{second}" for first, second in itertools.combinations(found, 2)]


def _tfidf(view: TfidfVectorizer, columns: Iterable[list[int]]) -> sparse.csr_matrix:
    """What a vectoriser gives for texts whose n-grams fall on the given columns of its vocabulary."""
    rows = list(columns)
    flat = np.fromiter(itertools.chain.from_iterable(rows), dtype=np.int32)
    ends = np.cumsum([0, *map(len, rows)])
    counts = sparse.csr_matrix((np.ones(len(flat)), flat, ends), shape=(len(rows), len(view.vocabulary_)))
    counts.sum_duplicates()
    counts.data = (1 + np.log(counts.data)) * view.idf_[counts.indices]
    return normalize(counts, copy=False)
