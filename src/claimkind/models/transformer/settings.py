"""The settings of the transformer family."""

from dataclasses import dataclass

import numpy as np

from claimkind.errors import ClaimkindError
from claimkind.models.settings import check_ranges

_PRECISIONS = ("auto", "bf16", "fp32")


@dataclass(frozen=True)
class TransformerSettings:
    """Settings of `TransformerClassifier`.

    Raises:
        ClaimkindError: a setting is out of range, or `precision` is unknown.
    """

    encoder: str
    """The encoder to fine-tune: a name on the Hugging Face hub, or a local folder."""
    revision: str | None = None
    """Commit of the encoder on the hub; null takes the pinned commit of an encoder in `encoders.PINNED`, otherwise the
    newest. Not used with a local folder."""
    sha256: str | None = None
    """Digest that the encoder's `model.safetensors` must have; null takes the pinned digest if the revision is the
    pinned one, otherwise nothing is checked."""
    keep_layers: list[int] | None = None
    """Layers of the encoder that are kept before training, from 0, in ascending order; null keeps all. Every second
    layer of a fine-tuned encoder (`init_from`) makes a student of half its size (Sanh et al. 2019)."""
    max_length: int = 256
    """Longest input in tokens, at least 8. Training truncates longer sentences, prediction reads them in windows."""
    epochs: float = 3
    """Largest number of epochs, at least 0.01; `patience` can end training earlier."""
    evidence_epochs: int = 2
    """Epochs over the rows without a label, before the epochs over labelled rows; 0 trains on all rows together.
    The learning rate of these epochs is half of `learning_rate` times the mean weight of the rows, since the step size
    of Adam does not depend on the scale of the loss."""
    batch_size: int = 32
    """Sentences per step, at least 1."""
    gradient_checkpointing: bool = False
    """Whether training computes the outputs of layers again in the backward pass instead of keeping them: less memory,
    about a third more time."""
    learning_rate: float = 2e-4
    """Peak learning rate, 0 to 1, after a linear warmup and before a linear decay to 0."""
    layer_decay: float = 0.85
    """Factor between the learning rate of a layer and that of the layer above it, 0 to 1 (Howard and Ruder 2018), which
    preserves what lower layers learned in pre-training; 1 gives every layer the same rate."""
    head_lr_multiplier: float = 5.0
    """Factor between the learning rate of the classification head, which starts from random weights, and that of the
    highest layer; at least 0."""
    rdrop_alpha: float = 1.0
    """Weight of the R-Drop loss (Liang et al. 2021), at least 0: the divergence between two predictions of a sentence
    under different dropout. It doubles the time of training; 0 turns it off."""
    warmup: float = 0.1
    """Share of the steps in which the learning rate rises, 0 to 0.999."""
    weight_decay: float = 0.01
    """Weight decay of AdamW, at least 0."""
    patience: int = 5
    """Number of epochs without a better macro F1 on validation after which training stops, at least 1."""
    precision: str = "auto"
    """Number format of training and prediction: `bf16`, `fp32`, or `auto`, which is bf16 where the GPU or the processor
    has instructions for it."""
    seed: int = 0
    """Seed of the head's initial weights, of dropout and of the order of batches."""

    def __post_init__(self) -> None:
        check_ranges(
            self,
            max_length=(8, np.inf),
            epochs=(0.01, np.inf),
            evidence_epochs=(0, np.inf),
            batch_size=(1, np.inf),
            learning_rate=(0, 1),
            layer_decay=(0, 1),
            head_lr_multiplier=(0, np.inf),
            rdrop_alpha=(0, np.inf),
            warmup=(0, 0.999),
            weight_decay=(0, np.inf),
            patience=(1, np.inf),
        )
        layers = self.keep_layers
        if layers is not None and (not layers or layers[0] < 0 or sorted(set(layers)) != layers):
            raise ClaimkindError(f"model.keep_layers is {layers}, expected layers in ascending order, as in [0,2,4]")
        if self.precision not in _PRECISIONS:
            raise ClaimkindError(f"model.precision is {self.precision!r}, expected one of {', '.join(_PRECISIONS)}")
