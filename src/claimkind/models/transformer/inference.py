"""Prediction: windows in batches of similar length, computed by an exchangeable backend."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from tqdm import tqdm

from claimkind.models.transformer.layers import computes_bf16, with_bf16_layers
from claimkind.models.transformer.tokenization import Batch, WindowTokenizer

_TOKENS_PER_BATCH = 2048  # padding included


class Backend(Protocol):
    """What computes a fine-tuned encoder: PyTorch, or another runtime."""

    feature_size: int
    """Columns of `features`."""
    compute_dtype: str
    """Number format and device, as in `fp32, CPU`; see `Predictor.compute_dtype`."""

    def logits(self, batch: Batch) -> np.ndarray:
        """Logits of each row of a batch: (rows, 3) float32, in the order of `LABELS`."""
        ...

    def features(self, batch: Batch) -> np.ndarray:
        """The mean output of each layer over a row's tokens, concatenated: (rows, feature_size) float64."""
        ...


class TorchBackend:
    """PyTorch, on the GPU if there is one."""

    def __init__(self, model: Any, precision: str = "auto") -> None:
        """Wrap a model.

        Args:
            model: of transformers, in fp32.
            precision: `bf16`, `fp32` or `auto`; in bf16 the encoder's layers multiply in bf16, as in training.
        """
        self.bf16 = computes_bf16(precision)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.compute_dtype = f"{'bf16' if self.bf16 else 'fp32'}, {'GPU' if self.device == 'cuda' else 'CPU'}"
        # The embeddings count as a layer.
        self.feature_size: int = (model.config.num_hidden_layers + 1) * model.config.hidden_size
        self._trained = model

    def logits(self, batch: Batch) -> np.ndarray:
        """See `Backend.logits`."""
        with torch.inference_mode():
            logits: np.ndarray = self._model(**self._tensors(batch)).logits.float().cpu().numpy()
        return logits

    def features(self, batch: Batch) -> np.ndarray:
        """See `Backend.features`."""
        with torch.inference_mode():
            tensors = self._tensors(batch)
            mask = tensors["attention_mask"][..., None].double()
            layers = self._model(**tensors, output_hidden_states=True).hidden_states
            means = [(layer.double() * mask).sum(dim=1) / mask.sum(dim=1) for layer in layers]
            return torch.cat(means, dim=-1).cpu().numpy()

    @functools.cached_property
    def _model(self) -> Any:
        """Made at the first prediction, so that a model which is only trained and saved is not copied."""
        model = with_bf16_layers(self._trained) if self.bf16 else self._trained
        return model.to(self.device).eval()

    def _tensors(self, batch: Batch) -> dict[str, torch.Tensor]:
        return {name: torch.from_numpy(values).to(self.device) for name, values in batch.items()}


def mean_over_windows(
    texts: Sequence[str], tokenizer: WindowTokenizer, compute: Callable[[Batch], np.ndarray], width: int
) -> np.ndarray:
    """Compute each window of each text, and average over the windows of a text, weighted by their tokens.

    Args:
        texts: n texts.
        tokenizer: splits them into windows.
        compute: gives (rows, width) for a batch of windows.
        width: columns of the result.

    Returns:
        (n, width) float64.
    """
    sums, tokens = np.zeros((len(texts), width)), np.zeros(len(texts))
    if not len(texts):
        return sums
    windows = tokenizer.split(texts)
    lengths = np.array([len(ids) for ids in windows.ids])
    np.add.at(tokens, windows.owners, lengths)
    with tqdm(total=len(lengths), desc="predicting", delay=2, leave=False) as progress:
        for rows in token_budget_batches(lengths, _TOKENS_PER_BATCH):
            values = compute(tokenizer.pad([windows.ids[row] for row in rows]))
            np.add.at(sums, windows.owners[rows], values * lengths[rows, None])
            progress.update(len(rows))
    return sums / tokens[:, None]


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
