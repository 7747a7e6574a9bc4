"""Prediction: windows in batches of similar length, computed by an exchangeable backend."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from tqdm import tqdm

from claimkind.models.transformer.tokenization import Batch, WindowTokenizer


class Backend(Protocol):
    """What computes a fine-tuned encoder: PyTorch, or another runtime."""

    feature_size: int
    """Columns of `features`."""
    compute_dtype: str
    """Number format, device and runtime, as in `fp32, CPU`; see `Predictor.compute_dtype`."""
    tokens_per_batch: int
    """Tokens of a batch, padding included; where predictions are fastest."""
    concurrent_batches: int
    """Number of calls of `logits` at the same time, in threads, with which predictions are fastest."""

    def logits(self, batch: Batch) -> np.ndarray:
        """Logits of each row of a batch: (rows, 3) float32, in the order of `LABELS`."""
        ...

    def features(self, batch: Batch) -> np.ndarray:
        """The mean output of each layer over a row's tokens, concatenated: (rows, feature_size) float64."""
        ...


def mean_over_windows(
    texts: Sequence[str],
    tokenizer: WindowTokenizer,
    compute: Callable[[Batch], np.ndarray],
    *,
    width: int,
    budget: int,
    concurrent: int = 1,
) -> np.ndarray:
    """Compute each window of each text, and average over the windows of a text, weighted by their tokens.

    Args:
        texts: n texts.
        tokenizer: splits them into windows.
        compute: gives (rows, width) for a batch of windows.
        width: columns of the result.
        budget: the most tokens of a batch, padding included.
        concurrent: number of batches to compute at the same time.

    Returns:
        (n, width) float64.
    """
    sums, tokens = np.zeros((len(texts), width)), np.zeros(len(texts))
    if not len(texts):
        return sums
    windows = tokenizer.split(texts)
    lengths = np.array([len(ids) for ids in windows.ids])
    np.add.at(tokens, windows.owners, lengths)
    rounds = math.ceil(lengths.sum() / (budget * concurrent))
    # Batches of about the same size, so that none is computed alone at the end.
    batches = list(token_budget_batches(lengths, math.ceil(lengths.sum() / (rounds * concurrent))))
    padded = (tokenizer.pad([windows.ids[row] for row in rows]) for rows in batches)
    with tqdm(total=len(lengths), desc="predicting", delay=2, leave=False) as progress:
        for rows, values in zip(batches, _computed(compute, padded, min(concurrent, len(batches))), strict=True):
            np.add.at(sums, windows.owners[rows], values * lengths[rows, None])
            progress.update(len(rows))
    return sums / tokens[:, None]


def _computed(
    compute: Callable[[Batch], np.ndarray], batches: Iterable[Batch], concurrent: int
) -> Iterator[np.ndarray]:
    """The result for each batch, in order."""
    if concurrent == 1:
        yield from map(compute, batches)
        return
    pool = ThreadPoolExecutor(concurrent)
    try:
        yield from pool.map(compute, batches)
    finally:
        pool.shutdown(cancel_futures=True)


def token_budget_batches(lengths: np.ndarray, budget: int) -> Iterator[np.ndarray]:
    """Batches of rows of similar length, the longest first.

    A batch holds at most `budget` tokens when it is padded, or one row. Long texts thus make small batches instead of
    padding short ones.

    Args:
        lengths: (rows,) tokens of each row.
        budget: tokens of a batch.

    Yields:
        Positions of the rows of a batch.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        size = max(1, budget // int(lengths[order[start]]))
        yield order[start : start + size]
        start += size
