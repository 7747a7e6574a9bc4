"""Predictions by PyTorch, on the GPU if there is one."""

import functools
from typing import Any

import numpy as np
import torch

from claimkind.models.transformer.layers import computes_bf16
from claimkind.models.transformer.tokenization import Batch


class TorchBackend:
    """PyTorch, on the GPU if there is one."""

    concurrent_batches = 1

    def __init__(self, model: Any, precision: str = "auto") -> None:
        """Wrap a model.

        Args:
            model: of transformers, in fp32.
            precision: `bf16`, `fp32` or `auto`, which is bf16 where this machine has instructions for it. In bf16 the
                matrices are multiplied in bf16, as in training; the sums between the layers stay in fp32.
        """
        self.bf16 = computes_bf16(precision)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.compute_dtype = f"{'bf16' if self.bf16 else 'fp32'}, {'GPU' if self.device == 'cuda' else 'CPU'}"
        self.tokens_per_batch = 1 << 15 if self.device == "cuda" else 2048
        # The embeddings count as a layer.
        self.feature_size: int = (model.config.num_hidden_layers + 1) * model.config.hidden_size
        self._trained = model

    def logits(self, batch: Batch) -> np.ndarray:
        """See `Backend.logits`."""
        logits: np.ndarray = self._compute(batch).logits.float().cpu().numpy()
        return logits

    def features(self, batch: Batch) -> np.ndarray:
        """See `Backend.features`."""
        mask = torch.from_numpy(batch["attention_mask"]).to(self.device)[..., None].double()
        layers = self._compute(batch, output_hidden_states=True).hidden_states
        means = [(layer.double() * mask).sum(dim=1) / mask.sum(dim=1) for layer in layers]
        return torch.cat(means, dim=-1).cpu().numpy()

    def _compute(self, batch: Batch, **options: bool) -> Any:
        tensors = {name: torch.from_numpy(values).to(self.device) for name, values in batch.items()}
        with torch.inference_mode(), torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
            return self._model(**tensors, **options)

    @functools.cached_property
    def _model(self) -> Any:
        """Moved at the first prediction, so that a model which is only trained and saved stays where it is."""
        return self._trained.to(self.device).eval()
