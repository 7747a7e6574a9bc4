"""Other systems, trained as their documentation shows, to set ours beside; the extra `bench` installs them."""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from claimkind.labels import LABELS, label_indices, one_hot
from claimkind.metrics.scores import macro_f1
from claimkind.models.base import Classifier, Examples
from claimkind.models.transformer.encoders import find_encoder


class Peer(Protocol):
    """What is compared: something that learns labels and tells them."""

    def fit(self, texts: Sequence[str], labels: Sequence[str], validation: Examples) -> Self:
        """Learn."""
        ...

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """The position in `LABELS` of each text's label: (n,) int64."""
        ...


class Ours:
    """A family of ours, by the same two calls."""

    def __init__(self, classifier: Classifier) -> None:
        """Wrap a classifier that was not fitted."""
        self.classifier = classifier

    def fit(self, texts: Sequence[str], labels: Sequence[str], validation: Examples) -> Self:
        """Fit."""
        self.classifier.fit(texts, one_hot(labels), validation=validation)
        return self

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """The likeliest label."""
        return self.classifier.predict_proba(texts).argmax(axis=1)


class FastText:
    """fastText (Joulin et al. 2017): an average of word and n-gram vectors, and a softmax. One thread: repeatable."""

    def __init__(self, epochs: int = 25, learning_rate: float = 0.5, word_ngrams: int = 3, seed: int = 0) -> None:
        """Settings."""
        self.settings = {"epoch": epochs, "lr": learning_rate, "wordNgrams": word_ngrams, "seed": seed, "thread": 1}

    def fit(self, texts: Sequence[str], labels: Sequence[str], validation: Examples) -> Self:
        """Train on lower-cased words and punctuation marks."""
        import fasttext

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "train.txt"
            lines = (f"__label__{label} {_words(text)}\n" for text, label in zip(texts, labels, strict=True))
            path.write_text("".join(lines), encoding="utf-8")
            self.model = fasttext.train_supervised(str(path), verbose=0, **self.settings)
        return self

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """The likeliest label."""
        found = self.model.predict([_words(text) for text in texts])[0]
        return label_indices([labels[0].removeprefix("__label__") for labels in found])


class SetFit:
    """SetFit (Tunstall et al. 2022): contrastive pairs of sentences move the encoder, then a logistic regression."""

    def __init__(self, encoder: str, revision: str, sha256: str, max_steps: int = 300, seed: int = 0) -> None:
        """Settings; the encoder is found as for our own family."""
        self.folder = find_encoder(encoder, revision, sha256)
        self.max_steps, self.seed = max_steps, seed

    def fit(self, texts: Sequence[str], labels: Sequence[str], validation: Examples) -> Self:
        """Train with its defaults but for the number of steps, which else would grow with the square of the rows."""
        from datasets import Dataset
        from setfit import SetFitModel, Trainer, TrainingArguments

        self.model = SetFitModel.from_pretrained(str(self.folder), labels=list(LABELS))
        rows = Dataset.from_dict({"text": list(texts), "label": label_indices(labels).tolist()})
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                output_dir=folder, batch_size=32, max_steps=self.max_steps, seed=self.seed, report_to="none",
                save_strategy="no",
            )  # fmt: skip
            Trainer(model=self.model, args=arguments, train_dataset=rows).train()
        return self

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """The likeliest label."""
        found = self.model.predict_proba(list(texts), as_numpy=True, batch_size=64)
        return np.asarray(found).argmax(axis=1)


class PlainTrainer:
    """The Hugging Face `Trainer` as its documentation shows it: fp32, batches at random, one rate for all layers."""

    def __init__(
        self, encoder: str, revision: str, sha256: str, epochs: float = 3, learning_rate: float = 5e-5, seed: int = 0
    ) -> None:
        """Settings; the encoder is found as for our own family."""
        self.folder = find_encoder(encoder, revision, sha256)
        self.epochs, self.learning_rate, self.seed = epochs, learning_rate, seed

    def fit(self, texts: Sequence[str], labels: Sequence[str], validation: Examples) -> Self:
        """Fine-tune, validating each epoch as the documentation does; that with the best macro F1 is kept."""
        from datasets import Dataset
        from transformers import (
            AutoModelForSequenceClassification,
            AutoTokenizer,
            DataCollatorWithPadding,
            Trainer,
            TrainingArguments,
            set_seed,
        )

        set_seed(self.seed)
        self.tokenizer = AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
        model = AutoModelForSequenceClassification.from_pretrained(
            self.folder, num_labels=len(LABELS), ignore_mismatched_sizes=True, local_files_only=True
        )
        rows = Dataset.from_dict({**self._encoded(texts), "labels": label_indices(labels).tolist()})
        truth = validation.evidence.argmax(axis=1).tolist()
        held_out = Dataset.from_dict({**self._encoded(validation.texts), "labels": truth})
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                output_dir=folder, num_train_epochs=self.epochs, learning_rate=self.learning_rate,
                per_device_train_batch_size=32, per_device_eval_batch_size=32, eval_strategy="epoch",
                save_strategy="epoch", load_best_model_at_end=True, metric_for_best_model="macro_f1", seed=self.seed,
                report_to="none", dataloader_pin_memory=False,
            )  # fmt: skip
            self.trainer = Trainer(
                model=model, args=arguments, train_dataset=rows, eval_dataset=held_out,
                data_collator=DataCollatorWithPadding(self.tokenizer),
                compute_metrics=_validation_metrics,
            )  # fmt: skip
            self.trainer.train()
        return self

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """The likeliest label."""
        from datasets import Dataset

        logits = self.trainer.predict(Dataset.from_dict(self._encoded(texts))).predictions
        return np.asarray(logits).argmax(axis=1)

    def _encoded(self, texts: Sequence[str]) -> dict[str, list[list[int]]]:
        return dict(self.tokenizer(list(texts), truncation=True, max_length=256))


def _validation_metrics(prediction: Any) -> dict[str, float]:
    return {"macro_f1": macro_f1(np.asarray(prediction.label_ids), np.asarray(prediction.predictions).argmax(axis=1))}


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+|[^\w\s]", text.lower()))
