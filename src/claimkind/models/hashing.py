"""The hashing family: a linear model on hashed words and word n-grams, the fastest.

Texts are joined and split into words by array operations over their bytes, and a word is identified by a hash of its
bytes (feature hashing, Weinberger et al. 2009), so that no step runs in Python once per word or sentence.
"""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy import sparse
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from claimkind.errors import ClaimkindError, first_line
from claimkind.labels import LABELS
from claimkind.models.base import Examples, OnMetrics, check_examples, check_fitted
from claimkind.models.regression import SMALLEST_C, check_finite, fit_regression, new_regression
from claimkind.models.settings import SETTINGS, check_ranges, load_settings, save_settings

_TABLE = "hashing.safetensors"
_BATCH_CHARACTERS = 1 << 18  # arrays of this length stay within a core's cache
_SEPARATOR = "\0"
# Odd numbers: multiplication by them modulo 2**64 is invertible.
_BASE, _NEXT, _SPREAD = 0x9E3779B97F4A7C15, 0x94D049BB133111EB, 0xBF58476D1CE4E5B9
_PLAIN = {"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "…": "..."}
_GAP, _WORD, _MARK = range(3)


def _byte_classes() -> np.ndarray:
    """By byte whether it is part of a word, a punctuation mark or a gap; bytes outside ASCII are parts of words."""
    classes = np.full(256, _WORD, dtype=np.uint8)
    for code in range(128):
        if not (chr(code).isalnum() or chr(code) == "_"):
            classes[code] = _MARK if chr(code).isprintable() and code != ord(" ") else _GAP
    return classes


_CLASSES = _byte_classes()
_LOWER = np.frombuffer(bytes(range(256)).lower(), dtype=np.uint8)


@dataclass(frozen=True)
class HashingSettings:
    """Settings of `HashingClassifier`.

    Raises:
        ClaimkindError: a setting is out of range.
    """

    ngrams: int = 2
    """Longest word n-gram, 1 to 5; punctuation marks count as words."""
    bits: int = 18
    """There are 2**bits features, 8 to 26 bits; n-grams with the same hash share a feature."""
    C: float = 10.0
    """Inverse strength of the regularisation, above 0."""
    balanced: bool = True
    """Whether classes are weighted inversely to their frequency."""
    em_steps: int = 3
    """Steps of expectation-maximisation, 0 to 100, where there are rows without a hard label."""
    seed: int = 0
    """Not used: the solver computes the same for every seed."""

    def __post_init__(self) -> None:
        check_ranges(self, ngrams=(1, 5), bits=(8, 26), C=(SMALLEST_C, np.inf), em_steps=(0, 100))


class HashingClassifier:
    """Logistic regression on TF-IDF of hashed word n-grams, about as fast to score as the text is to read.

    Punctuation marks count as words. ASCII letters are lowercased, others keep their case.
    """

    single_threaded = True
    seed_has_no_effect = True
    compute_dtype = "fp32, CPU"
    abstain_below = 0.0
    evidence_weight = 1.0
    requirements = ("safetensors", "scikit-learn")
    files = (SETTINGS, _TABLE)

    def __init__(self, settings: HashingSettings = HashingSettings()) -> None:
        """Keep the settings; `fit` or `load` makes the table of weights."""
        self.settings = settings
        self.table_: Any = None
        self.intercept_: Any = None

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
        counts = self._counts(texts)
        frequencies = np.bincount(counts.indices, minlength=2**settings.bits)
        idf = np.log((1 + len(texts)) / (1 + frequencies)) + 1
        regression = new_regression(settings.C, settings.balanced, settings.seed)
        fit_regression(regression, _tfidf(counts, idf), evidence, weights, settings.em_steps, on_metrics)
        self.table_, self.intercept_ = _tabulate(regression, idf)
        return self

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """See `Predictor.predict_proba`."""
        check_fitted(self.table_)
        logits = np.zeros((len(texts), len(LABELS)))
        for start, batch in _batches(texts):
            sums = sum(counts @ self.table_ for counts in self._counts_by_length(batch))
            norms = np.sqrt(np.maximum(sums[:, -1:], 1.0))  # 1 for a text without words
            logits[start : start + len(batch)] = sums[:, :-1] / norms
        return np.asarray(softmax(logits + self.intercept_, axis=1))

    def features(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """TF-IDF weights of the hashed n-grams; see `Predictor.features`."""
        check_fitted(self.table_)
        return _tfidf(self._counts(texts), np.sqrt(self.table_[:, -1].astype(np.float64)))

    def windows(self, texts: Sequence[str]) -> np.ndarray:
        """Always 1: the length of a text is not limited; see `Predictor.windows`."""
        return np.ones(len(texts), dtype=np.int64)

    def _counts(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Number of occurrences of each feature in each text: (n, 2**bits)."""
        parts = [sum(self._counts_by_length(batch)) for _, batch in _batches(texts)]
        if not parts:
            return sparse.csr_matrix((0, 2**self.settings.bits), dtype=np.float32)
        counts = sparse.vstack(parts, format="csr")
        counts.sum_duplicates()
        return counts

    def _counts_by_length(self, texts: Sequence[str]) -> list[sparse.csr_matrix]:
        """The same, one matrix for each length of n-grams; a row may hold a feature several times."""
        bits = self.settings.bits
        words, owners = _words_of(texts)
        hashes, counts = words, []
        for length in range(1, self.settings.ngrams + 1):
            if length > 1:
                hashes = hashes[:-1] * np.uint64(_NEXT) + words[length - 1 :]
            in_one_text = owners[: len(hashes)] == owners[length - 1 :]
            columns = (hashes[in_one_text] * np.uint64(_SPREAD)) >> np.uint64(64 - bits)
            starts = np.searchsorted(owners[: len(hashes)][in_one_text], np.arange(len(texts) + 1))
            ones = np.ones(len(columns), dtype=np.float32)
            counts.append(sparse.csr_matrix((ones, columns.astype(np.int32), starts), shape=(len(texts), 2**bits)))
        return counts

    def save(self, folder: Path) -> None:
        """Save the table of weights as safetensors, the settings as JSON."""
        check_fitted(self.table_)
        save_file({"table": self.table_, "intercept": self.intercept_}, folder / _TABLE)
        save_settings(self.settings, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load a saved model.

        Raises:
            ClaimkindError: a file is missing or damaged, or the table does not have the size that the settings give.
        """
        classifier = cls(load_settings(folder, HashingSettings))
        try:
            saved = load_file(folder / _TABLE)
            classifier.table_, classifier.intercept_ = saved["table"], saved["intercept"]
            # The intercept of a class without training rows is minus infinity.
            check_finite({"table": saved["table"], "intercept": np.exp(saved["intercept"])})
        except Exception as error:
            reason = first_line(error)
            raise ClaimkindError(
                f"{folder / _TABLE} does not load ({reason}), expected a hashing model: train again"
            ) from None
        shapes = (2**classifier.settings.bits, len(LABELS) + 1), (len(LABELS),)
        if (classifier.table_.shape, classifier.intercept_.shape) != shapes:
            raise ClaimkindError(f"{folder / _TABLE} is of another size than its settings say: train again")
        return classifier


def _tfidf(counts: sparse.csr_matrix, idf: np.ndarray) -> sparse.csr_matrix:
    """Counts times IDF weights, each row normalised as `predict_proba` does."""
    norms = np.sqrt(np.maximum(counts @ idf**2, 1.0))
    return sparse.csr_matrix(sparse.diags(1 / norms) @ counts @ sparse.diags(idf))


def _tabulate(regression: LogisticRegression, idf: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The table that prediction reads.

    Returns:
        For each feature its weight for each class times its IDF weight, and the square of that: (2**bits, 4) float32;
        and the intercept of each class: (3,), -inf for a class without training rows.
    """
    coefficients, intercept = regression.coef_, regression.intercept_
    if len(coefficients) == 1:  # with two classes, scikit-learn keeps the weights of the second only
        coefficients, intercept = np.vstack([0 * coefficients, coefficients]), np.concatenate([[0.0], intercept])
    table = np.zeros((len(idf), len(LABELS) + 1), dtype=np.float32)
    table[:, regression.classes_] = (coefficients * idf).T
    table[:, -1] = idf**2
    intercepts = np.full(len(LABELS), -np.inf)
    intercepts[regression.classes_] = intercept
    return table, intercepts


def _batches(texts: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """Consecutive texts of at most `_BATCH_CHARACTERS` together, or one longer text; with the position of the first."""
    ends = np.cumsum([len(text) for text in texts])
    start = 0
    while start < len(texts):
        before = ends[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + _BATCH_CHARACTERS, side="right")))
        yield start, texts[start:end]
        start = end


def _words_of(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The words of texts, in order.

    Returns:
        A 64-bit hash of each word, (words,) uint64, and the position of the text that it is in, (words,) int32.
    """
    read = _bytes_of(texts)
    starts, ends = _word_bounds(_CLASSES[read])
    powers, inverses = _powers(1 << (len(read) + 1).bit_length())
    # A polynomial hash: differences of prefix sums are the sums over a word, and division by the power at its start
    # gives a word the same hash wherever it stands.
    sums = np.zeros(len(read) + 1, dtype=np.uint64)
    np.cumsum((read.astype(np.uint64) + np.uint64(1)) * powers[: len(read)], out=sums[1:])
    owners = np.cumsum(read == ord(_SEPARATOR), dtype=np.int32)[starts]
    return (sums[ends] - sums[starts]) * inverses[starts], owners


def _bytes_of(texts: Sequence[str]) -> np.ndarray:
    """The texts as lower-case UTF-8 bytes with plain punctuation, `_SEPARATOR` between each two."""
    joined = _SEPARATOR.join(texts)
    if joined.count(_SEPARATOR) != len(texts) - 1:
        joined = _SEPARATOR.join(text.replace(_SEPARATOR, " ") for text in texts)
    if not joined.isascii():
        for typographic, plain in _PLAIN.items():
            joined = joined.replace(typographic, plain)
    return _LOWER[np.frombuffer(joined.encode("utf-8", "replace"), dtype=np.uint8)]


def _word_bounds(classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Start and end of each word and punctuation mark among bytes of the given classes."""
    in_word = np.concatenate([[False], classes == _WORD, [False]])
    begins, continues = in_word[1:-1] & ~in_word[:-2], in_word[2:]
    starts = np.flatnonzero(begins | (classes == _MARK))
    ends = starts + 1
    ends[classes[starts] == _WORD] = np.flatnonzero(in_word[1:-1] & ~continues) + 1
    return starts, ends


@functools.lru_cache(maxsize=8)
def _powers(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first powers of the base and of its inverse, modulo 2**64."""
    powers, inverses = np.full(count, _BASE, np.uint64), np.full(count, pow(_BASE, -1, 2**64), np.uint64)
    powers[0] = inverses[0] = 1
    return np.cumprod(powers, dtype=np.uint64), np.cumprod(inverses, dtype=np.uint64)
