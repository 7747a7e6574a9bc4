"""The hashing family: a linear model on hashed words and runs of words, read in a few passes over bytes. The fastest.

Texts are joined and cut into words by array operations over their bytes, and a word is known by a number computed from
its bytes (the hashing trick, Weinberger et al. 2009), so that no step runs in Python for each word or sentence.
"""

import functools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy import sparse
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS
from claimkind.models.base import Examples, OnMetrics, check_examples, check_fitted, check_settings
from claimkind.models.regression import LEAST_C, fit_regression

_TABLE, _SETTINGS = "hashing.safetensors", "classifier.json"
_AT_ONCE = 1 << 18  # characters: what is computed of them stays within a core's cache
_BETWEEN = "\0"
# Odd numbers, so that multiplying by them modulo 2**64 loses nothing.
_BASE, _NEXT, _SPREAD = 0x9E3779B97F4A7C15, 0x94D049BB133111EB, 0xBF58476D1CE4E5B9
_PLAIN = {"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "…": "..."}
_GAP, _WORD, _MARK = range(3)


def _byte_classes() -> np.ndarray:
    """Which bytes belong to words, which are punctuation marks; all that are no ASCII belong to words."""
    classes = np.full(256, _WORD, dtype=np.uint8)
    for code in range(128):
        if not (chr(code).isalnum() or chr(code) == "_"):
            classes[code] = _MARK if chr(code).isprintable() and code != ord(" ") else _GAP
    return classes


_CLASSES = _byte_classes()
_LOWER = np.frombuffer(bytes(range(256)).lower(), dtype=np.uint8)


class HashingClassifier:
    """Logistic regression on TF-IDF of hashed words, as quick to score as text is to read.

    Punctuation marks count as words; case counts for nothing in ASCII, and is kept elsewhere.
    """

    single_threaded = True
    """Prediction keeps one core busy, so that scoring runs a process on each."""

    evidence_weight = 1.0

    def __init__(
        self,
        ngrams: int = 2,
        bits: int = 18,
        C: float = 10.0,  # noqa: N803 - scikit-learn's name
        balanced: bool = True,
        em_steps: int = 3,
        seed: int = 0,
    ) -> None:
        """Settings.

        Args:
            ngrams: longest run of words.
            bits: there are 2**bits features; runs that fall on the same one are taken for each other.
            C: inverse strength of the regularisation.
            balanced: weigh classes inversely to their frequency.
            em_steps: steps of expectation-maximisation when there are rows whose class is not certain.
            seed: of the solver.

        Raises:
            ClaimkindError: a setting is out of range.
        """
        check_settings(ngrams=(ngrams, 1, 5), bits=(bits, 8, 26), C=(C, LEAST_C, np.inf), em_steps=(em_steps, 0, 100))
        self.ngrams = ngrams
        self.bits = bits
        self.C = C
        self.balanced = balanced
        self.em_steps = em_steps
        self.seed = seed
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
        """Fit; see `Classifier.fit`. `validation` and `work_dir` are not needed by this family.

        Rows whose class is not certain are learned from by expectation-maximisation; see `fit_regression`.
        """
        evidence = check_examples(texts, evidence)
        weights = np.ones(len(texts)) if weights is None else np.asarray(weights, dtype=np.float64)
        counts = self._counts(texts)
        occurs = np.bincount(counts.indices, minlength=2**self.bits)
        idf = np.log((1 + len(texts)) / (1 + occurs)) + 1
        regression = LogisticRegression(
            C=self.C, class_weight="balanced" if self.balanced else None, max_iter=1000, random_state=self.seed
        )
        fit_regression(regression, _weighted(counts, idf), evidence, weights, self.em_steps, on_metrics)
        self.table_, self.intercept_ = _tabulate(regression, idf)
        return self

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """Probabilities; see `Predictor.predict_proba`."""
        check_fitted(self.table_)
        logits = np.zeros((len(texts), len(LABELS)))
        for start, part in _portions(texts):
            sums = sum(counts @ self.table_ for counts in self._counts_by_length(part))
            norms = np.sqrt(np.maximum(sums[:, -1:], 1.0))  # 1 where a text holds no word at all
            logits[start : start + len(part)] = sums[:, :-1] / norms
        return np.asarray(softmax(logits + self.intercept_, axis=1))

    def features(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """The weights of words and runs of words; see `Predictor.features`."""
        check_fitted(self.table_)
        return _weighted(self._counts(texts), np.sqrt(self.table_[:, -1].astype(np.float64)))

    def windows(self, texts: Sequence[str]) -> np.ndarray:
        """1 each: a text of any length is read at once; see `Predictor.windows`."""
        return np.ones(len(texts), dtype=np.int64)

    def _counts(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """How often each feature occurs in each text: (n, 2**bits)."""
        parts = [sum(self._counts_by_length(part)) for _, part in _portions(texts)]
        if not parts:
            return sparse.csr_matrix((0, 2**self.bits), dtype=np.float32)
        counts = sparse.vstack(parts, format="csr")
        counts.sum_duplicates()
        return counts

    def _counts_by_length(self, texts: Sequence[str]) -> list[sparse.csr_matrix]:
        """The same, a matrix for each length of runs; a feature may stand in a row several times."""
        words, owners = _words_of(texts)
        hashes, counts = words, []
        for length in range(1, self.ngrams + 1):
            if length > 1:
                hashes = hashes[:-1] * np.uint64(_NEXT) + words[length - 1 :]
            whole = owners[: len(hashes)] == owners[length - 1 :]
            columns = (hashes[whole] * np.uint64(_SPREAD)) >> np.uint64(64 - self.bits)
            starts = np.searchsorted(owners[: len(hashes)][whole], np.arange(len(texts) + 1))
            ones = np.ones(len(columns), dtype=np.float32)
            counts.append(sparse.csr_matrix((ones, columns.astype(np.int32), starts), shape=(len(texts), 2**self.bits)))
        return counts

    def save(self, folder: Path) -> None:
        """Save the table as safetensors, the settings as JSON."""
        check_fitted(self.table_)
        save_file({"table": self.table_, "intercept": self.intercept_}, folder / _TABLE)
        settings = {"ngrams": self.ngrams, "bits": self.bits}
        (folder / _SETTINGS).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load from data alone.

        Raises:
            ClaimkindError: the folder holds no such model.
        """
        try:
            classifier = cls(**json.loads((folder / _SETTINGS).read_text(encoding="utf-8")))
            saved = load_file(folder / _TABLE)
            classifier.table_, classifier.intercept_ = saved["table"], saved["intercept"]
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ClaimkindError(
                f"{folder / _TABLE} does not load ({reason}), expected a hashing model: train again"
            ) from None
        if classifier.table_.shape != (2**classifier.bits, len(LABELS) + 1):
            raise ClaimkindError(f"{folder / _TABLE} is of another size than its settings say: train again")
        return classifier


def _weighted(counts: sparse.csr_matrix, idf: np.ndarray) -> sparse.csr_matrix:
    """Counts times idf, each row divided as `predict_proba` does."""
    norms = np.sqrt(np.maximum(counts @ idf**2, 1.0))
    return sparse.csr_matrix(sparse.diags(1 / norms) @ counts @ sparse.diags(idf))


def _tabulate(regression: LogisticRegression, idf: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What prediction looks up.

    Returns:
        For each feature its weight for each class times its idf, and the square of the idf: (2**bits, 4) float32; and
        what is added for each class: (3,), which rules out those that no training row had.
    """
    coefficients, intercept = regression.coef_, regression.intercept_
    if len(coefficients) == 1:  # of two classes, only the second has weights of its own
        coefficients, intercept = np.vstack([0 * coefficients, coefficients]), np.concatenate([[0.0], intercept])
    table = np.zeros((len(idf), len(LABELS) + 1), dtype=np.float32)
    table[:, regression.classes_] = (coefficients * idf).T
    table[:, -1] = idf**2
    added = np.full(len(LABELS), -np.inf)
    added[regression.classes_] = intercept
    return table, added


def _portions(texts: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """Neighbouring texts of so many characters in all, or one that is longer; each with the place of its first."""
    ends = np.cumsum([len(text) for text in texts])
    start = 0
    while start < len(texts):
        reached = ends[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(ends, reached + _AT_ONCE, side="right")))
        yield start, texts[start:end]
        start = end


def _words_of(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The words of texts in their order: a 64-bit number for each, and the place of the text that it stands in."""
    joined = _BETWEEN.join(texts)
    if joined.count(_BETWEEN) != len(texts) - 1:
        joined = _BETWEEN.join(text.replace(_BETWEEN, " ") for text in texts)
    if not joined.isascii():
        for typographic, plain in _PLAIN.items():
            joined = joined.replace(typographic, plain)
    read = _LOWER[np.frombuffer(joined.encode("utf-8", "replace"), dtype=np.uint8)]
    classes = _CLASSES[read]
    in_word = np.concatenate([[False], classes == _WORD, [False]])
    begins, goes_on = in_word[1:-1] & ~in_word[:-2], in_word[2:]
    starts = np.flatnonzero(begins | (classes == _MARK))
    ends = starts + 1
    ends[classes[starts] == _WORD] = np.flatnonzero(in_word[1:-1] & ~goes_on) + 1
    powers, inverses = _powers(1 << (len(read) + 1).bit_length())
    # A polynomial in the bytes: sums up to each place give those between any two, and dividing by the power of the
    # first place makes a word the same number wherever it stands.
    sums = np.zeros(len(read) + 1, dtype=np.uint64)
    np.cumsum((read.astype(np.uint64) + np.uint64(1)) * powers[: len(read)], out=sums[1:])
    owners = np.cumsum(read == ord(_BETWEEN), dtype=np.int32)[starts]
    return (sums[ends] - sums[starts]) * inverses[starts], owners


@functools.lru_cache(maxsize=8)
def _powers(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first powers of the base and of its inverse, modulo 2**64."""
    powers, inverses = np.full(count, _BASE, np.uint64), np.full(count, pow(_BASE, -1, 2**64), np.uint64)
    powers[0] = inverses[0] = 1
    return np.cumprod(powers, dtype=np.uint64), np.cumprod(inverses, dtype=np.uint64)
