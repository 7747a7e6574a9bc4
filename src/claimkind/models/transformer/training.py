"""Fine-tuning by the Hugging Face `Trainer`: stages, optimizer, checkpoints, callbacks."""

import contextlib
import functools
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from datasets import Dataset
from sklearn.metrics import f1_score
from transformers import (
    DataCollatorWithPadding,
    EarlyStoppingCallback,
    ProgressCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, EvalPrediction

from claimkind.command import processes_of_torchrun
from claimkind.errors import ClaimkindError
from claimkind.labels import has_hard_label
from claimkind.models.base import Examples, OnMetrics
from claimkind.models.transformer.encoders import Pretrained
from claimkind.models.transformer.layers import computes_bf16, layer_of, recomputed_layers
from claimkind.models.transformer.loss import training_loss
from claimkind.models.transformer.settings import TransformerSettings
from claimkind.models.transformer.tokenization import WindowTokenizer

_PREFIX = f"{PREFIX_CHECKPOINT_DIR}-"
_REPORTED = ("loss", "learning_rate", "eval_loss", "eval_macro_f1")
"""What is passed on to `on_metrics`, out of the logs of the `Trainer`."""


class _Stage(NamedTuple):
    """A training with its own learning rate schedule."""

    rows: Dataset
    validation: Dataset | None
    epochs: float
    learning_rate: float
    folder: Path
    """Of its checkpoints."""


class FineTuning:
    """Fine-tunes an encoder in place."""

    def __init__(self, pretrained: Pretrained, settings: TransformerSettings, on_metrics: OnMetrics | None) -> None:
        """Prepare.

        Args:
            pretrained: the encoder, which is changed.
            settings: of the training.
            on_metrics: see `Classifier.fit`.
        """
        self.pretrained, self.settings, self.on_metrics = pretrained, settings, on_metrics

    def run(
        self, examples: Examples, weights: np.ndarray, validation: Examples | None = None, work_dir: Path | None = None
    ) -> Any:
        """Train in one stage, or in two where some rows have a hard label and others do not.

        The first stage uses the rows without a hard label, so that the encoder learns from their sources and the
        rows with a hard label come last.

        Args:
            examples: n texts and their evidence.
            weights: (n,) weights of the rows.
            validation: if given, the epoch with the highest macro F1 on it is kept.
            work_dir: folder of checkpoints, from which an interrupted training resumes.

        Returns:
            The model in fp32, on the CPU.
        """
        lean = recomputed_layers if self.settings.gradient_checkpointing else contextlib.nullcontext
        with tempfile.TemporaryDirectory() as scratch, lean(self.pretrained.model):
            steps = 0
            for stage in self._stages(examples, weights, validation, Path(work_dir or scratch)):
                trainer = self._trainer(stage, steps)
                trainer.train(resume_from_checkpoint=newest_checkpoint(stage.folder))
                steps += trainer.state.global_step
        # The Trainer leaves autocast around the model: without it, the model predicts as after loading.
        return trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False).cpu().float().eval()

    def _stages(
        self, examples: Examples, weights: np.ndarray, validation: Examples | None, folder: Path
    ) -> Iterable[_Stage]:
        settings = self.settings
        used = np.flatnonzero(weights)  # a batch of rows with weight 0 would have no loss
        evidence, weights = examples.evidence[used], weights[used]
        rows = self._encode(Examples([examples.texts[row] for row in used.tolist()], evidence), weights)
        held_out = self._encode(validation, np.ones(len(validation.texts))) if validation else None
        hard = has_hard_label(evidence)
        if settings.evidence_epochs > 0 and hard.any() and not hard.all():
            rate = settings.learning_rate / 2 * float(weights[~hard].mean())
            soft_rows = rows.select(np.flatnonzero(~hard))
            yield _Stage(soft_rows, None, settings.evidence_epochs, rate, folder / "evidence")
            rows = rows.select(np.flatnonzero(hard))
        yield _Stage(rows, held_out, settings.epochs, settings.learning_rate, folder)

    def _encode(self, examples: Examples, weights: np.ndarray) -> Dataset:
        """Token ids, and as `labels` the evidence followed by the weight of the row: (n, classes + 1)."""
        tokenizer = WindowTokenizer(self.pretrained.tokenizer, self.settings.max_length)
        labels = np.column_stack([examples.evidence, weights]).astype(np.float32)
        return Dataset.from_dict({"input_ids": tokenizer.truncate(examples.texts), "labels": labels.tolist()})

    def _trainer(self, stage: _Stage, earlier_steps: int) -> Trainer:
        settings = self.settings
        trainer_class = _RDropTrainer if settings.rdrop_alpha else Trainer
        trainer = trainer_class(
            model=self.pretrained.model,
            args=_arguments(stage, settings),
            train_dataset=stage.rows,
            eval_dataset=stage.validation,
            data_collator=DataCollatorWithPadding(self.pretrained.tokenizer),
            compute_loss_func=functools.partial(training_loss, rdrop_alpha=settings.rdrop_alpha),
            compute_metrics=_validation_metrics,
            callbacks=self._callbacks(stage, earlier_steps),
            optimizers=(make_optimizer(self.pretrained.model, stage.learning_rate, settings), None),
        )
        trainer.remove_callback(ProgressCallback)
        trainer.add_callback(_ProgressBar())
        return trainer

    def _callbacks(self, stage: _Stage, earlier_steps: int) -> list[TrainerCallback]:
        callbacks: list[TrainerCallback] = [_LogBeforeCheckpoint()]
        if self.on_metrics:
            callbacks.append(_MetricsCallback(self.on_metrics, earlier_steps))
        if stage.validation is not None:
            callbacks.append(EarlyStoppingCallback(early_stopping_patience=self.settings.patience))
        return callbacks


def _arguments(stage: _Stage, settings: TransformerSettings) -> TrainingArguments:
    evaluated = stage.validation is not None
    return TrainingArguments(
        output_dir=str(stage.folder),
        num_train_epochs=stage.epochs,
        per_device_train_batch_size=_batch_size_of_a_process(settings.batch_size),
        per_device_eval_batch_size=2 * settings.batch_size,
        learning_rate=stage.learning_rate,
        warmup_steps=settings.warmup,
        eval_strategy="epoch" if evaluated else "no",
        save_strategy="epoch",
        save_total_limit=2,  # the best one to keep, the last one to resume from
        load_best_model_at_end=evaluated,
        metric_for_best_model="macro_f1" if evaluated else None,
        greater_is_better=True if evaluated else None,
        train_sampling_strategy="group_by_length",
        logging_steps=10,
        report_to="none",
        disable_tqdm=False,  # the default depends on the log level, which is lowered
        use_cpu=not torch.cuda.is_available(),
        bf16=computes_bf16(settings.precision),
        seed=settings.seed,
        dataloader_pin_memory=torch.cuda.is_available(),
    )


def _batch_size_of_a_process(batch_size: int) -> int:
    """The share of one of torchrun's processes in a batch, so that their number does not change the training."""
    processes = processes_of_torchrun()
    if batch_size % processes:
        raise ClaimkindError(
            f"model.batch_size={batch_size} cannot be divided among {processes} processes, expected a multiple of "
            f"{processes}: change it, or --nproc-per-node"
        )
    return batch_size // processes


def make_optimizer(model: Any, learning_rate: float, settings: TransformerSettings) -> torch.optim.Optimizer:
    """AdamW with a learning rate for each layer, and weight decay on matrices only.

    Args:
        model: of transformers.
        learning_rate: of the highest layer.
        settings: for `layer_decay`, `head_lr_multiplier` and `weight_decay`.
    """
    layers = 1 + max(layer_of(name) or 0 for name, _ in model.named_parameters())
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        layer = layer_of(name)
        if not name.startswith(f"{model.base_model_prefix}."):
            rate = learning_rate * settings.head_lr_multiplier
        else:
            rate = learning_rate * settings.layer_decay ** (0 if layer is None else layers - layer)
        decay = settings.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": params, "lr": rate, "weight_decay": decay} for (rate, decay), params in groups.items()],
        fused=True,
    )


def newest_checkpoint(folder: Path) -> str | None:
    """The newest complete checkpoint in a folder; None if there is none.

    An incomplete one, left by a killed process, is skipped; the Trainer writes it again when it gets there.
    """
    steps = [int(path.name.removeprefix(_PREFIX)) for path in folder.glob(f"{_PREFIX}*") if _is_complete(path)]
    return str(folder / f"{_PREFIX}{max(steps)}") if steps else None


def _is_complete(checkpoint: Path) -> bool:
    try:  # the Trainer writes this file last
        json.loads((checkpoint / TRAINER_STATE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return checkpoint.name.removeprefix(_PREFIX).isdecimal()


class _RDropTrainer(Trainer):
    """Computes each training batch twice in one pass; dropout makes the two predictions of a sentence differ."""

    def compute_loss(self, model: Any, inputs: dict[str, torch.Tensor], *args: Any, **kwargs: Any) -> Any:
        """The loss of a batch that holds each sentence twice, in training; in evaluation, of the batch itself."""
        if torch.is_grad_enabled():
            inputs = {name: torch.cat([values, values]) for name, values in inputs.items()}
        return super().compute_loss(model, inputs, *args, **kwargs)


def _validation_metrics(prediction: EvalPrediction) -> dict[str, float]:
    logits, labels = np.asarray(prediction.predictions), np.asarray(prediction.label_ids)
    classes = range(logits.shape[1])
    truth, predicted = labels[:, :-1].argmax(axis=1), logits.argmax(axis=1)
    return {"macro_f1": float(f1_score(truth, predicted, labels=classes, average="macro", zero_division=0))}


class _ProgressBar(ProgressCallback):
    """The progress bar of the `Trainer`, labelled, with the newest metrics on it instead of one line for each."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        super().on_train_begin(args, state, control, **kwargs)
        if self.training_bar is not None:
            self.training_bar.set_description("training", refresh=False)

    def on_prediction_step(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        eval_dataloader: Any = None,
        **_: Any,
    ) -> None:
        """Show no second bar: validation takes seconds."""

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        if self.training_bar is not None:
            shown = {name: value for name, value in (logs or {}).items() if name in ("loss", "eval_macro_f1")}
            self.training_bar.set_postfix(shown, refresh=False)


class _LogBeforeCheckpoint(TrainerCallback):
    """Logs the loss at the end of each epoch, where checkpoints are saved, which do not hold the sum of the losses.

    The loss that is logged next is then the same whether the training was interrupted or not.
    """

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        control.should_log = True
        return control


class _MetricsCallback(TrainerCallback):
    """Passes the logged metrics to `on_metrics`. The MLflow callback of transformers logs 150 parameters besides."""

    def __init__(self, on_metrics: OnMetrics, earlier_steps: int) -> None:
        self.on_metrics, self.earlier_steps = on_metrics, earlier_steps

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        found = logs or {}
        kept = {name.replace("eval_", "validation_"): float(found[name]) for name in _REPORTED if name in found}
        if kept:
            self.on_metrics(self.earlier_steps + state.global_step, kept)
