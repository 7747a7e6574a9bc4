"""The transformer family: an encoder with a classification head, fine-tuned by the Hugging Face `Trainer`."""

import contextlib
import copy
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from datasets import Dataset
from tqdm import tqdm
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    EarlyStoppingCallback,
    ProgressCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import EvalPrediction, get_last_checkpoint
from transformers.utils import logging

from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS, has_hard_label
from claimkind.metrics.scores import macro_f1
from claimkind.models.base import Examples, OnMetrics, check_examples, check_fitted, check_settings
from claimkind.models.transformer.encoders import find_encoder

_SETTINGS = "classifier.json"
_TOKENS_AT_ONCE = 2048
_STRIDE = 32  # tokens that two windows of a text share
_MARKS = 2  # at least so many tokens of a window are marks of its begin and end
_PRECISIONS = ("auto", "bf16", "fp32")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the library's notes on each file that it reads or writes, or that an encoder comes without our head."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()


class _Windows(NamedTuple):
    """Texts cut into pieces that an encoder can read at once."""

    ids: list[list[int]]
    owners: np.ndarray
    """The text that each piece is of: (pieces,) int64."""


class _Stage(NamedTuple):
    """One training with a schedule of its own."""

    epochs: float
    learning_rate: float
    folder: Path
    """Of its checkpoints."""


class TransformerClassifier:
    """A fine-tuned encoder. Learns from evidence by the marginal likelihood of what each row's source said."""

    evidence_weight = 0.0

    def __init__(
        self,
        encoder: str,
        revision: str | None = None,
        sha256: str | None = None,
        max_length: int = 256,
        epochs: float = 5,
        batch_size: int = 32,
        evidence_epochs: int = 2,
        learning_rate: float = 2e-4,
        layer_decay: float = 0.85,
        head_lr_multiplier: float = 5.0,
        rdrop_alpha: float = 1.0,
        warmup: float = 0.1,
        weight_decay: float = 0.01,
        patience: int = 5,
        precision: str = "auto",
        seed: int = 0,
    ) -> None:
        """Settings.

        Args:
            encoder: a name on the Hugging Face hub, or a local folder.
            revision: commit on the hub.
            sha256: digest that the encoder's `model.safetensors` must have.
            max_length: longer sentences are cut to so many tokens.
            epochs: at most; training stops early by `patience`.
            evidence_epochs: so many epochs over the rows whose class is not certain come before those over the others,
                at half the rate times their mean weight, for a step of Adam is as long whatever the loss is multiplied
                by; 0 mixes all rows in every epoch.
            batch_size: sentences a step.
            learning_rate: highest rate; it rises linearly over `warmup` and falls linearly to 0.
            layer_decay: each layer learns at so many times the rate of the one above it (Howard and Ruder 2018), which
                lets the lower ones keep what they know; 1 gives all the same.
            head_lr_multiplier: the head, which begins at random, learns at so many times the rate of the highest layer.
            rdrop_alpha: weight of R-Drop (Liang et al. 2021): each sentence is read twice with other units dropped, and
                the two answers must agree; doubles the time, 0 leaves it out.
            warmup: share of the steps, below 1.
            weight_decay: of AdamW.
            patience: stop after so many epochs without a better macro F1 on validation.
            precision: of training and of prediction: `bf16`, `fp32`, or `auto`, bf16 where the GPU or the processor
                computes with it.
            seed: of the head's initial weights, of dropout and of the order of batches.

        Raises:
            ClaimkindError: `precision` is none of the three, or a number is out of range.
        """
        check_settings(
            max_length=(max_length, 8, np.inf), epochs=(epochs, 0.01, np.inf), batch_size=(batch_size, 1, np.inf),
            evidence_epochs=(evidence_epochs, 0, np.inf), learning_rate=(learning_rate, 0, 1),
            layer_decay=(layer_decay, 0, 1), head_lr_multiplier=(head_lr_multiplier, 0, np.inf), rdrop_alpha=(rdrop_alpha, 0, np.inf),
            warmup=(warmup, 0, 0.999), weight_decay=(weight_decay, 0, np.inf), patience=(patience, 1, np.inf),
        )  # fmt: skip
        if precision not in _PRECISIONS:
            raise ClaimkindError(f"model.precision is {precision!r}, expected one of {', '.join(_PRECISIONS)}")
        self.encoder = encoder
        self.revision = revision
        self.sha256 = sha256
        self.max_length = max_length
        self.epochs = epochs
        self.evidence_epochs = evidence_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.layer_decay = layer_decay
        self.head_lr_multiplier = head_lr_multiplier
        self.rdrop_alpha = rdrop_alpha
        self.warmup = warmup
        self.weight_decay = weight_decay
        self.patience = patience
        self.precision = precision
        self.seed = seed
        self.model_: Any = None
        self.tokenizer_: Any = None
        self._scoring: tuple[Any, Any] | None = None

    @_quiet()
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
        """Fine-tune; see `Classifier.fit`. With `validation`, the epoch with the best macro F1 is kept.

        Where some rows' class is certain and that of others is not, the others come first (`evidence_epochs`): what
        their sources say moves the encoder, and the certain rows have the last word.
        """
        evidence = check_examples(texts, evidence)
        weights = np.ones(len(texts)) if weights is None else np.asarray(weights, dtype=np.float64)
        set_seed(self.seed)  # before the head gets its random weights
        self._load_weights(find_encoder(self.encoder, self.revision, self.sha256), new_head=True)
        counted = np.flatnonzero(weights).tolist()  # a batch of rows without weight would have no loss
        texts, evidence, weights = [texts[row] for row in counted], evidence[counted], weights[counted]
        rows = self._encode(texts, evidence, weights)
        certain = has_hard_label(evidence)
        staged = self.evidence_epochs > 0 and certain.any() and not certain.all()
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(work_dir or scratch)
            if staged:
                rate = self.learning_rate / 2 * float(weights[~certain].mean())
                stage = _Stage(self.evidence_epochs, rate, folder / "evidence")
                first = self._train(stage, rows.select(np.flatnonzero(~certain)), None, on_metrics)
                rows = rows.select(np.flatnonzero(certain))
                on_metrics = _counted_on(on_metrics, first.state.global_step)
            held_out = self._encode(validation.texts, validation.evidence) if validation else None
            trainer = self._train(_Stage(self.epochs, self.learning_rate, folder), rows, held_out, on_metrics)
        # The Trainer leaves autocast wrapped around the model: unwrapped, it predicts as a loaded one will.
        self.model_ = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False).cpu().float().eval()
        return self

    def _load_weights(self, folder: Path, *, new_head: bool) -> None:
        """Load tokenizer and model; with `new_head`, a head of other labels gives way to a random one of ours."""
        names = dict(enumerate(LABELS))
        try:
            self.tokenizer_ = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self.model_ = AutoModelForSequenceClassification.from_pretrained(
                folder,
                num_labels=len(LABELS),
                id2label=names,
                label2id={label: index for index, label in names.items()},
                ignore_mismatched_sizes=new_head,
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
            )
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise ClaimkindError(f"{folder} holds no encoder that transformers can load ({reason}): check it") from None

    def _encode(self, texts: Sequence[str], evidence: np.ndarray, weights: np.ndarray | None = None) -> Dataset:
        """Token ids, and as `labels` the evidence with the row's weight behind it."""
        weights = np.ones(len(texts)) if weights is None else weights
        return Dataset.from_dict(
            {
                "input_ids": self._tokenize(texts),
                "labels": np.column_stack([evidence, weights]).astype(np.float32).tolist(),
            }
        )

    def _tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        ids: list[list[int]] = self.tokenizer_(list(texts), truncation=True, max_length=self._longest())["input_ids"]
        return ids

    def _train(
        self, stage: _Stage, train: Dataset, validation: Dataset | None, on_metrics: OnMetrics | None
    ) -> Trainer:
        """Train in one stage, going on from the newest checkpoint in its folder."""
        trainer = self._trainer(stage, train, validation, on_metrics)
        trainer.train(resume_from_checkpoint=_newest_checkpoint(stage.folder))
        return trainer

    def _trainer(
        self, stage: _Stage, train: Dataset, validation: Dataset | None, on_metrics: OnMetrics | None
    ) -> Trainer:
        callbacks: list[TrainerCallback] = []
        if on_metrics:
            callbacks.append(_MetricsCallback(on_metrics))
        if validation is not None:
            callbacks.append(EarlyStoppingCallback(early_stopping_patience=self.patience))
        trainer = _Trainer(
            model=self.model_,
            args=self._arguments(stage, evaluated=validation is not None),
            train_dataset=train,
            eval_dataset=validation,
            data_collator=DataCollatorWithPadding(self.tokenizer_),
            compute_loss_func=self._loss,
            compute_metrics=_validation_metrics,
            callbacks=callbacks,
            optimizers=(self._optimizer(stage.learning_rate), None),
        )
        trainer.reads_twice = self.rdrop_alpha > 0
        trainer.remove_callback(ProgressCallback)
        trainer.add_callback(_Progress())
        return trainer

    def _loss(self, outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
        loss = marginal_likelihood_loss(outputs, labels)
        # Evaluation, which needs no gradient, reads each sentence once.
        if self.rdrop_alpha and torch.is_grad_enabled():
            loss = loss + self.rdrop_alpha * _disagreement(outputs.logits)
        return loss

    def _optimizer(self, learning_rate: float) -> torch.optim.Optimizer:
        """AdamW with a rate for each layer, and no weight decay on what is no matrix."""
        layers = 1 + max(_layer_of(name) or 0 for name, _ in self.model_.named_parameters())
        groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
        for name, parameter in self.model_.named_parameters():
            layer = _layer_of(name)
            if not name.startswith(f"{self.model_.base_model_prefix}."):
                rate = learning_rate * self.head_lr_multiplier
            else:
                rate = learning_rate * self.layer_decay ** (0 if layer is None else layers - layer)
            decay = self.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
        return torch.optim.AdamW(
            [{"params": params, "lr": rate, "weight_decay": decay} for (rate, decay), params in groups.items()],
            fused=True,
        )

    def _arguments(self, stage: _Stage, *, evaluated: bool) -> TrainingArguments:
        return TrainingArguments(
            output_dir=str(stage.folder),
            num_train_epochs=stage.epochs,
            per_device_train_batch_size=self.batch_size,
            per_device_eval_batch_size=2 * self.batch_size,
            learning_rate=stage.learning_rate,
            warmup_steps=self.warmup,
            eval_strategy="epoch" if evaluated else "no",
            save_strategy="epoch",
            save_total_limit=2,  # the best and the last: the one to keep and the one to resume from
            load_best_model_at_end=evaluated,
            metric_for_best_model="macro_f1" if evaluated else None,
            greater_is_better=True if evaluated else None,
            train_sampling_strategy="group_by_length",
            logging_steps=10,
            report_to="none",
            disable_tqdm=False,  # its default hangs on the log level, which we lower
            use_cpu=not torch.cuda.is_available(),
            bf16=computes_bf16(self.precision),
            seed=self.seed,
            dataloader_pin_memory=torch.cuda.is_available(),
        )

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """Probabilities; see `Predictor.predict_proba`. Those of a long text are the mean over its windows' tokens."""
        check_fitted(self.model_)
        return self._mean_over_windows(
            texts, len(LABELS), lambda model, batch: torch.softmax(model(**batch).logits.double(), dim=-1)
        )

    def features(self, texts: Sequence[str]) -> np.ndarray:
        """The mean over the tokens of each layer's output, side by side; see `Predictor.features`.

        The upper layers keep what tells our classes apart and forget other things, which lower ones still hold.
        """
        check_fitted(self.model_)
        settings = self.model_.config
        return self._mean_over_windows(texts, (settings.num_hidden_layers + 1) * settings.hidden_size, _layer_means)

    def windows(self, texts: Sequence[str]) -> np.ndarray:
        """In how many windows each text is read: (n,) int64; see `Predictor.windows`."""
        counts = np.ones(len(texts), dtype=np.int64)
        # A token is a byte at least, a character not always, so only long texts need to be counted.
        long = [index for index, text in enumerate(texts) if len(text.encode()) > self._longest() - _MARKS]
        if long:
            counts[long] = np.bincount(self._split([texts[index] for index in long]).owners, minlength=len(long))
        return counts

    def _mean_over_windows(
        self, texts: Sequence[str], width: int, read: Callable[[Any, Any], torch.Tensor]
    ) -> np.ndarray:
        """What `read` makes of the texts' windows, averaged over each text's tokens: (n, width)."""
        sums, tokens = np.zeros((len(texts), width)), np.zeros(len(texts))
        if not len(texts):
            return sums
        split = self._split(texts)
        lengths = np.array([len(ids) for ids in split.ids])
        device = "cuda" if torch.cuda.is_available() else "cpu"
        model = self._scoring_model().to(device)
        np.add.at(tokens, split.owners, lengths)
        with torch.inference_mode(), tqdm(total=len(lengths), desc="predicting", delay=2, leave=False) as progress:
            for rows in _batches_of_like_length(lengths, _TOKENS_AT_ONCE):
                batch = self.tokenizer_.pad({"input_ids": [split.ids[row] for row in rows]}, return_tensors="pt")
                values = read(model, batch.to(device)).cpu().numpy()
                np.add.at(sums, split.owners[rows], values * lengths[rows, None])
                progress.update(len(rows))
        return sums / tokens[:, None]

    @property
    def compute_dtype(self) -> str:
        """What it predicts in on this machine; on another, probabilities may differ a little."""
        return f"{'bf16' if computes_bf16(self.precision) else 'fp32'}, {'GPU' if torch.cuda.is_available() else 'CPU'}"

    def _scoring_model(self) -> Any:
        """The model as it predicts: its layers in bf16 where training would be too."""
        if self._scoring is None or self._scoring[0] is not self.model_:
            scoring = _rounded(self.model_) if computes_bf16(self.precision) else self.model_
            self._scoring = (self.model_, scoring.eval())
        return self._scoring[1]

    def _longest(self) -> int:
        return min(self.max_length, self.tokenizer_.model_max_length)  # no encoder has more positions

    def _split(self, texts: Sequence[str]) -> _Windows:
        encoded = self.tokenizer_(
            list(texts),
            truncation=True,
            max_length=self._longest(),
            stride=min(_STRIDE, self._longest() // 4),
            return_overflowing_tokens=True,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        return _Windows(encoded["input_ids"], np.array(encoded["overflow_to_sample_mapping"], dtype=np.int64))

    @_quiet()
    def save(self, folder: Path) -> None:
        """Save safetensors, tokenizer and settings; `AutoModelForSequenceClassification` reads the folder too."""
        check_fitted(self.model_)
        self.model_.save_pretrained(folder)
        self.tokenizer_.save_pretrained(folder)
        settings = {
            "encoder": self.encoder,
            "revision": self.revision,
            "max_length": self.max_length,
            "precision": self.precision,
        }
        (folder / _SETTINGS).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")

    @classmethod
    @_quiet()
    def load(cls, folder: Path) -> Self:
        """Load from files alone.

        Raises:
            ClaimkindError: the folder holds no such model.
        """
        try:
            settings: dict[str, Any] = json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
            classifier = cls(**settings)
        except (OSError, ValueError, TypeError):
            raise ClaimkindError(f"{folder / _SETTINGS} is missing or damaged: train the model again") from None
        classifier._load_weights(folder, new_head=False)
        return classifier


def computes_bf16(precision: str = "auto") -> bool:
    """Whether to train in bf16: where it is asked for, or where the GPU or the processor has instructions for it."""
    if precision != "auto":
        return precision == "bf16"
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def marginal_likelihood_loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
    """Weighted mean of -log Σ_c p(c | x) · evidence[c]; cross-entropy where the evidence is one-hot.

    Args:
        outputs: with `logits`, (n, 3).
        labels: (n, 4), the evidence and the row's weight.
        num_items_in_batch: given by the `Trainer`, not used: batches are averaged.
    """
    evidence, weights = labels[:, : len(LABELS)].float(), labels[:, len(LABELS)].float()
    log_probabilities = torch.log_softmax(outputs.logits.float(), dim=-1)
    # log 0 is -inf, which logsumexp takes as "this class is ruled out".
    log_likelihood = torch.logsumexp(log_probabilities + evidence.log(), dim=-1)
    return -(weights * log_likelihood).sum() / weights.sum()


def _newest_checkpoint(folder: Path) -> str | None:
    """The newest that was written to its end; those after it, cut off by a kill, are taken away."""
    while folder.is_dir() and (found := get_last_checkpoint(str(folder))):
        try:  # the Trainer writes this file last
            json.loads((Path(found) / TRAINER_STATE_NAME).read_text(encoding="utf-8"))
            return str(found)
        except (OSError, ValueError):
            shutil.rmtree(found)
    return None


def _layer_of(parameter: str) -> int | None:
    """Number of a parameter's layer by its name: 0 for embeddings, the first layer is 1; None above all layers."""
    layer = re.search(r"\.layers?\.(\d+)\.", parameter)
    if layer:
        return int(layer[1]) + 1
    return 0 if "embeddings" in parameter else None


class _RoundedLinear(torch.nn.Module):
    """A linear layer in bf16 between activations in fp32, which keeps what the layers add up from being rounded."""

    def __init__(self, layer: torch.nn.Linear, *, widened: bool) -> None:
        super().__init__()
        bias = None if layer.bias is None else layer.bias.bfloat16()
        self.weight = torch.nn.Parameter(layer.weight.bfloat16(), requires_grad=False)
        self.bias = None if bias is None else torch.nn.Parameter(bias, requires_grad=False)
        # What only passes through an activation into the next such layer would be rounded there anyway.
        self.widened = widened

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Multiply."""
        result = torch.nn.functional.linear(values.bfloat16(), self.weight, self.bias)
        return result if self.widened else result.float()


def _rounded(model: torch.nn.Module) -> torch.nn.Module:
    """A copy whose encoder layers multiply in bf16."""
    rounded = copy.deepcopy(model)
    layers = [
        (name, module)
        for name, module in rounded.named_modules()
        if isinstance(module, torch.nn.Linear) and _layer_of(f"{name}.")
    ]
    for name, layer in layers:
        parent, _, own = name.rpartition(".")
        setattr(rounded.get_submodule(parent), own, _RoundedLinear(layer, widened="intermediate" in name))
    return rounded


def _layer_means(model: Any, batch: Any) -> torch.Tensor:
    """Of each text the mean output of the embeddings and of each layer: (texts, layers · hidden size)."""
    read = batch["attention_mask"][..., None].double()
    layers = model(**batch, output_hidden_states=True).hidden_states
    return torch.cat([(layer.double() * read).sum(dim=1) / read.sum(dim=1) for layer in layers], dim=-1)


def _disagreement(logits: torch.Tensor) -> torch.Tensor:
    """Mean symmetric Kullback-Leibler divergence between the two readings, which are the halves of the batch."""
    one, other = torch.log_softmax(logits.float(), dim=-1).chunk(2)
    return 0.5 * ((one.exp() - other.exp()) * (one - other)).sum(dim=-1).mean()


class _Trainer(Trainer):
    """Reads each batch twice while it trains, if asked; dropout makes the readings differ."""

    reads_twice = False

    def compute_loss(self, model: Any, inputs: dict[str, torch.Tensor], *args: Any, **kwargs: Any) -> Any:
        """As it does, on a batch that holds each sentence twice."""
        if self.reads_twice and torch.is_grad_enabled():
            inputs = {name: torch.cat([values, values]) for name, values in inputs.items()}
        return super().compute_loss(model, inputs, *args, **kwargs)


def _validation_metrics(prediction: EvalPrediction) -> dict[str, float]:
    logits, labels = np.asarray(prediction.predictions), np.asarray(prediction.label_ids)
    return {"macro_f1": macro_f1(labels[:, : len(LABELS)].argmax(axis=1), logits.argmax(axis=1))}


def _counted_on(on_metrics: OnMetrics | None, steps: int) -> OnMetrics | None:
    """The same, with steps that follow upon those of an earlier stage."""
    return on_metrics and (lambda step, metrics: on_metrics(steps + step, metrics))


def _batches_of_like_length(lengths: np.ndarray, tokens: int) -> Iterator[np.ndarray]:
    """Rows, the longest first, in batches that padded hold so many tokens at most, or one row.

    A long text thus makes its own batch small instead of padding its neighbours.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        size = max(1, tokens // int(lengths[order[start]]))
        yield order[start : start + size]
        start += size


class _Progress(ProgressCallback):
    """The `Trainer`'s bar, with the newest figures behind it instead of a line for each."""

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        if self.training_bar is not None:
            shown = {name: value for name, value in (logs or {}).items() if name in ("loss", "eval_macro_f1")}
            self.training_bar.set_postfix(shown, refresh=False)


class _MetricsCallback(TrainerCallback):
    """Hands what the `Trainer` logs to `on_metrics`; its own MLflow callback logs 150 parameters that nobody set."""

    def __init__(self, on_metrics: OnMetrics) -> None:
        self.on_metrics = on_metrics

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        numbers = {name: float(value) for name, value in (logs or {}).items() if isinstance(value, int | float)}
        kept = {
            name.replace("eval_", "validation_"): value
            for name, value in numbers.items()
            if not name.endswith(("runtime", "per_second", "flos"))
        }
        self.on_metrics(state.global_step, kept)
