"""`TransformerClassifier`: the contract of a model family for a fine-tuned encoder."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy.special import softmax
from transformers import set_seed

from claimkind.models.base import Examples, OnMetrics, check_examples, check_fitted
from claimkind.models.settings import SETTINGS, load_settings, save_settings
from claimkind.models.transformer.encoder_files import CONFIG, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS
from claimkind.models.transformer.encoders import (
    Pretrained,
    find_encoder,
    load_pretrained,
    quiet_transformers,
    with_new_head,
)
from claimkind.models.transformer.inference import Backend, TorchBackend, mean_over_windows
from claimkind.models.transformer.settings import TransformerSettings
from claimkind.models.transformer.tokenization import Batch, WindowTokenizer


class TransformerClassifier:
    """A fine-tuned encoder with a classification head. Learns from evidence by its marginal likelihood."""

    single_threaded = False
    abstain_below = 0.0
    evidence_weight = 0.0
    requirements = ("safetensors", "torch", "transformers")
    files = (SETTINGS, CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG)

    def __init__(self, settings: TransformerSettings) -> None:
        """Keep the settings; `fit` or `load` makes the model."""
        self.settings = settings
        self.model_: Any = None
        self.tokenizer_: Any = None
        self.backend_: Backend | None = None
        """Computes predictions; may be replaced by another backend for the same model."""

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
        set_seed(self.settings.seed)  # before the head gets its random weights
        encoder = find_encoder(self.settings.encoder, self.settings.revision, self.settings.sha256)
        pretrained = load_pretrained(encoder, new_head=True)
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
        set_seed(seed)
        pretrained = Pretrained(with_new_head(self.model_, examples.evidence.shape[1]), self.tokenizer_)
        training = FineTuning(pretrained, tuned.settings, None)
        tuned._use(Pretrained(training.run(examples, np.ones(len(examples.texts)), validation), self.tokenizer_))
        return tuned.predict_proba

    def _use(self, pretrained: Pretrained) -> None:
        self.model_, self.tokenizer_ = pretrained
        self.backend_ = TorchBackend(self.model_, self.settings.precision)

    @property
    def compute_dtype(self) -> str:
        """See `Predictor.compute_dtype`."""
        return check_fitted(self.backend_).compute_dtype

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """The mean of the windows' probabilities, weighted by their tokens; see `Predictor.predict_proba`."""
        backend = check_fitted(self.backend_)

        def probabilities(batch: Batch) -> np.ndarray:
            return np.asarray(softmax(backend.logits(batch).astype(np.float64), axis=-1))

        return mean_over_windows(texts, self._tokenizer(), probabilities, self.model_.config.num_labels)

    def features(self, texts: Sequence[str]) -> np.ndarray:
        """The mean output of the embeddings and of each layer, concatenated; see `Predictor.features`.

        The upper layers separate the three classes and lose other information, which the lower layers still hold.
        """
        backend = check_fitted(self.backend_)
        return mean_over_windows(texts, self._tokenizer(), backend.features, backend.feature_size)

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

    @classmethod
    @quiet_transformers()
    def load(cls, folder: Path) -> Self:
        """Load a saved model from local files.

        Raises:
            ClaimkindError: a file is missing or damaged.
        """
        classifier = cls(load_settings(folder, TransformerSettings))
        classifier._use(load_pretrained(folder, new_head=False))
        return classifier
