"""`TransformerClassifier`: the contract of a model family for a fine-tuned encoder."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy.special import softmax
from transformers import set_seed

from claimkind.manifest import MANIFEST, listed_files
from claimkind.models.base import Examples, OnMetrics, check_examples, check_fitted
from claimkind.models.inference import Inference
from claimkind.models.settings import SETTINGS, load_settings, save_settings
from claimkind.models.transformer import openvino
from claimkind.models.transformer.backends import Encoder, check_inference, check_int8, choose_backend
from claimkind.models.transformer.encoder_files import CONFIG, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS
from claimkind.models.transformer.encoders import (
    Pretrained,
    find_encoder,
    load_pretrained,
    quiet_transformers,
    with_new_head,
)
from claimkind.models.transformer.inference import Backend, mean_over_windows
from claimkind.models.transformer.layers import keep_layers
from claimkind.models.transformer.load import mention_load
from claimkind.models.transformer.settings import TransformerSettings
from claimkind.models.transformer.tokenization import Batch, WindowTokenizer

_INT8 = "int8.xml"
"""The graph of the version in int8; its weights are beside it."""


class TransformerClassifier:
    """A fine-tuned encoder with a classification head. Learns from evidence by its marginal likelihood."""

    single_threaded = False
    abstain_below = 0.0
    evidence_weight = 0.0
    requirements = ("filelock", "safetensors", "torch", "transformers")
    files = (SETTINGS, CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG)

    def __init__(self, settings: TransformerSettings) -> None:
        """Keep the settings; `fit` or `load` makes the model."""
        self.settings = settings
        self.model_: Any = None
        self.tokenizer_: Any = None
        self.inference = Inference()
        self.int8_: Any = None
        """The graph of the version in int8, if the model was quantised."""
        self._folder: Path | None = None

    @quiet_transformers()
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
        """Fine-tune the encoder; see `Classifier.fit` and `FineTuning`."""
        from claimkind.models.transformer.training import FineTuning  # imports more than prediction requires

        evidence, weights = check_examples(texts, evidence, weights)
        mention_load()
        set_seed(self.settings.seed)  # before the head gets its random weights
        encoder = find_encoder(self.settings.encoder, self.settings.revision, self.settings.sha256)
        pretrained = load_pretrained(encoder, new_head=True)
        if self.settings.keep_layers is not None:
            keep_layers(pretrained.model, self.settings.keep_layers)
        training = FineTuning(pretrained, self.settings, on_metrics)
        model = training.run(Examples(texts, evidence), weights, validation, work_dir)
        self._use(Pretrained(model, pretrained.tokenizer))
        return self

    @quiet_transformers()
    def fine_tune(
        self, examples: Examples, validation: Examples, *, epochs: float, learning_rate: float | None, seed: int
    ) -> Callable[[Sequence[str]], np.ndarray]:
        """Train a copy with a new classification head; see `FineTunable.fine_tune`."""
        from claimkind.models.transformer.training import FineTuning  # imports more than prediction requires

        rate = learning_rate or self.settings.learning_rate
        tuned = TransformerClassifier(replace(self.settings, epochs=epochs, learning_rate=rate, seed=seed))
        tuned.inference = self.inference
        set_seed(seed)
        pretrained = Pretrained(with_new_head(self.model_, examples.evidence.shape[1]), self.tokenizer_)
        training = FineTuning(pretrained, tuned.settings, None)
        tuned._use(Pretrained(training.run(examples, np.ones(len(examples.texts)), validation), self.tokenizer_))
        return tuned.predict_proba

    def _use(self, pretrained: Pretrained, folder: Path | None = None) -> None:
        self.model_, self.tokenizer_ = pretrained
        self._folder = folder
        self._forget_backend()

    def set_inference(self, inference: Inference) -> None:
        """See `ChoosesBackend.set_inference`."""
        check_inference(inference, has_int8=self.int8_ is not None)
        self.inference = inference
        self._forget_backend()

    def _forget_backend(self) -> None:
        vars(self).pop("backend_", None)

    @functools.cached_property
    def backend_(self) -> Backend:
        """Computes predictions. Chosen at the first use; may be replaced by another backend for the same model."""
        mention_load()
        manifest = self._folder / MANIFEST if self._folder else None
        encoder = Encoder(check_fitted(self.model_), manifest, self.int8_)
        return choose_backend(encoder, self.inference.resolved(), self.settings.precision)

    def check_int8(self) -> None:
        """See `Quantizable.check_int8`."""
        check_int8()

    def quantized(self, texts: Sequence[str]) -> "TransformerClassifier":
        """See `Quantizable.quantized`."""
        check_int8()
        same = TransformerClassifier(self.settings)
        same._use(Pretrained(check_fitted(self.model_), self.tokenizer_))
        same.int8_ = openvino.quantize(self.model_, self._tokenizer(), texts)
        same.set_inference(Inference("openvino", "int8"))
        return same

    @property
    def compute_dtype(self) -> str:
        """See `Predictor.compute_dtype`."""
        return self.backend_.compute_dtype

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """The mean of the windows' probabilities, weighted by their tokens; see `Predictor.predict_proba`."""
        backend = self.backend_

        def probabilities(batch: Batch) -> np.ndarray:
            return np.asarray(softmax(backend.logits(batch).astype(np.float64), axis=-1))

        return mean_over_windows(
            texts,
            self._tokenizer(),
            probabilities,
            width=self.model_.config.num_labels,
            budget=backend.tokens_per_batch,
            concurrent=backend.concurrent_batches,
        )

    def features(self, texts: Sequence[str]) -> np.ndarray:
        """The mean output of the embeddings and of each layer, concatenated; see `Predictor.features`.

        The upper layers separate the three classes and lose other information, which the lower layers still hold.
        """
        backend = self.backend_
        return mean_over_windows(
            texts, self._tokenizer(), backend.features, width=backend.feature_size, budget=backend.tokens_per_batch
        )

    def windows(self, texts: Sequence[str]) -> np.ndarray:
        """See `Predictor.windows`."""
        return self._tokenizer().count_windows(texts)

    def _tokenizer(self) -> WindowTokenizer:
        return WindowTokenizer(check_fitted(self.tokenizer_), self.settings.max_length)

    @quiet_transformers()
    def save(self, folder: Path) -> None:
        """Save model, tokenizer and settings; `AutoModelForSequenceClassification` loads the folder too."""
        check_fitted(self.model_)
        self.model_.save_pretrained(folder)
        self.tokenizer_.save_pretrained(folder)
        save_settings(self.settings, folder)
        if self.int8_ is not None:
            openvino.save_graph(self.int8_, folder / _INT8)

    @classmethod
    @quiet_transformers()
    def load(cls, folder: Path) -> Self:
        """Load a saved model from local files.

        Raises:
            ClaimkindError: a file is missing or damaged.
        """
        classifier = cls(load_settings(folder, TransformerSettings))
        classifier._use(load_pretrained(folder, new_head=False), folder)
        if openvino.is_installed() and (folder / MANIFEST).is_file() and _INT8 in listed_files(folder):
            classifier.int8_ = openvino.read_graph(folder / _INT8)
        return classifier
