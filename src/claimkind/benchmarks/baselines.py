"""Baseline systems, trained as their documentation shows; the extra `bench` installs them."""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS, label_indices, one_hot
from claimkind.metrics.scores import macro_f1
from claimkind.models.base import Classifier, Examples
from claimkind.models.transformer.encoders import find_encoder


class System(Protocol):
    """A system to compare: it is trained on labels and predicts labels."""

    def fit(self, texts: Sequence[str], labels: Sequence[str], validation: Examples | None = None) -> Self:
        """Train.

        Args:
            texts: n sentences.
            labels: n names out of `LABELS`.
            validation: labelled examples for early stopping; not every system uses them.

        Returns:
            self.
        """
        ...

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """The most likely label of each text, as its position in `LABELS`: (n,) int64."""
        ...


class Ours:
    """A classifier of `claimkind.models` as a `System`."""

    def __init__(self, classifier: Classifier) -> None:
        """Wrap a classifier that is not fitted yet."""
        self.classifier = classifier

    def fit(self, texts: Sequence[str], labels: Sequence[str], validation: Examples | None = None) -> Self:
        """See `System.fit`."""
        self.classifier.fit(texts, one_hot(labels), validation=validation)
        return self

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """See `System.predict`."""
        return self.classifier.predict_proba(texts).argmax(axis=1)


class FastText:
    """fastText (Joulin et al. 2017): softmax regression on the mean of word and n-gram vectors."""

    def __init__(self, epochs: int = 25, learning_rate: float = 0.5, word_ngrams: int = 3, seed: int = 0) -> None:
        """Keep the settings. It trains in one thread, so that equal seeds give equal models."""
        self.settings = {"epoch": epochs, "lr": learning_rate, "wordNgrams": word_ngrams, "seed": seed, "thread": 1}

    def fit(self, texts: Sequence[str], labels: Sequence[str], validation: Examples | None = None) -> Self:
        """Train on lower-cased words and punctuation marks; see `System.fit`. `validation` is not used."""
        import fasttext

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "train.txt"
            lines = (f"__label__{label} {_words(text)}\n" for text, label in zip(texts, labels, strict=True))
            path.write_text("".join(lines), encoding="utf-8")
            self.model = fasttext.train_supervised(str(path), verbose=0, **self.settings)
        return self

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """See `System.predict`."""
        found = self.model.predict([_words(text) for text in texts])[0]
        return label_indices([labels[0].removeprefix("__label__") for labels in found])


class SetFit:
    """SetFit (Tunstall et al. 2022): contrastive fine-tuning of a sentence encoder, then logistic regression."""

    def __init__(self, encoder: str, revision: str, sha256: str, max_steps: int = 300, seed: int = 0) -> None:
        """Keep the settings; for the encoder see `find_encoder`."""
        self.folder = find_encoder(encoder, revision, sha256)
        self.max_steps, self.seed = max_steps, seed

    def fit(self, texts: Sequence[str], labels: Sequence[str], validation: Examples | None = None) -> Self:
        """Train with the default settings; see `System.fit`. `validation` is not used.

        Only the number of steps is not the default, which grows with the square of the number of texts.
        """
        from datasets import Dataset
        from setfit import SetFitModel, Trainer, TrainingArguments

        self.model = SetFitModel.from_pretrained(str(self.folder), labels=list(LABELS), trust_remote_code=False)
        rows = Dataset.from_dict({"text": list(texts), "label": label_indices(labels).tolist()})
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                output_dir=folder, batch_size=32, max_steps=self.max_steps, seed=self.seed, report_to="none",
                save_strategy="no",
            )  # fmt: skip
            Trainer(model=self.model, args=arguments, train_dataset=rows).train()
        return self

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """See `System.predict`."""
        found = self.model.predict_proba(list(texts), as_numpy=True, batch_size=64)
        return np.asarray(found).argmax(axis=1)


class PlainTrainer:
    """Fine-tuning with the Hugging Face `Trainer` as its documentation shows it: fp32, one learning rate."""

    def __init__(
        self, encoder: str, revision: str, sha256: str, epochs: float = 3, learning_rate: float = 5e-5, seed: int = 0
    ) -> None:
        """Keep the settings; for the encoder see `find_encoder`."""
        self.folder = find_encoder(encoder, revision, sha256)
        self.epochs, self.learning_rate, self.seed = epochs, learning_rate, seed

    def fit(self, texts: Sequence[str], labels: Sequence[str], validation: Examples | None = None) -> Self:
        """Train, and keep the epoch with the best macro F1 on `validation`; see `System.fit`."""
        from transformers import DataCollatorWithPadding, Trainer, set_seed

        if validation is None:
            raise ClaimkindError("PlainTrainer has no validation examples, expected some: give them to fit")
        set_seed(self.seed)
        self._load_encoder()
        truth = validation.evidence.argmax(axis=1).tolist()
        with tempfile.TemporaryDirectory() as folder:
            self.trainer = Trainer(
                model=self.model, args=self._arguments(folder),
                train_dataset=self._encode(texts, label_indices(labels).tolist()),
                eval_dataset=self._encode(validation.texts, truth),
                data_collator=DataCollatorWithPadding(self.tokenizer), compute_metrics=_validation_metrics,
            )  # fmt: skip
            self.trainer.train()
        return self

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """See `System.predict`."""
        return np.asarray(self.trainer.predict(self._encode(texts)).predictions).argmax(axis=1)

    def _load_encoder(self) -> None:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(self.folder, local_files_only=True, trust_remote_code=False)
        self.model = AutoModelForSequenceClassification.from_pretrained(
            self.folder, num_labels=len(LABELS), ignore_mismatched_sizes=True, local_files_only=True,
            trust_remote_code=False, use_safetensors=True,
        )  # fmt: skip

    def _arguments(self, folder: str) -> Any:
        from transformers import TrainingArguments

        return TrainingArguments(
            output_dir=folder, num_train_epochs=self.epochs, learning_rate=self.learning_rate,
            per_device_train_batch_size=32, per_device_eval_batch_size=32, eval_strategy="epoch",
            save_strategy="epoch", load_best_model_at_end=True, metric_for_best_model="macro_f1", seed=self.seed,
            report_to="none", dataloader_pin_memory=False,
        )  # fmt: skip

    def _encode(self, texts: Sequence[str], labels: Sequence[int] | None = None) -> Any:
        from datasets import Dataset

        encoded = dict(self.tokenizer(list(texts), truncation=True, max_length=256))
        return Dataset.from_dict(encoded if labels is None else {**encoded, "labels": labels})


def _validation_metrics(prediction: Any) -> dict[str, float]:
    return {"macro_f1": macro_f1(np.asarray(prediction.label_ids), np.asarray(prediction.predictions).argmax(axis=1))}


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+|[^\w\s]", text.lower()))
