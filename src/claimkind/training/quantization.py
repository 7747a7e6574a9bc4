"""Quantising a saved transformer to int8, and comparing the result with the original."""

import logging
from dataclasses import asdict
from typing import NamedTuple

import numpy as np
import pandas as pd

from claimkind import models, tracking
from claimkind.config import QuantizeConfig, changed_settings
from claimkind.dataset.load import BuiltDataset, load_dataset
from claimkind.dataset.rows import predictions_of
from claimkind.errors import ClaimkindError
from claimkind.evaluation import description
from claimkind.evaluation.evaluation import Evaluation, evaluate, predictions_for
from claimkind.evaluation.model_card import markdown_table
from claimkind.evaluation.run_tables import log_results
from claimkind.metrics.bootstrap import Estimate, check_samples
from claimkind.models.base import Predictor
from claimkind.models.calibration import CalibratedClassifier, fit_temperature, uncalibrated
from claimkind.models.inference import Inference, Quantizable
from claimkind.training.run_log import log_reference

_LOGGER = logging.getLogger(__name__)
_HELD_OUT = ("validation", "test")
_Probabilities = dict[str, np.ndarray]
"""By split, (n, 3)."""


class Difference(NamedTuple):
    """How the model in int8 differs from the original in fp32 on a split."""

    split: str
    sentences: int
    agreement: float
    """Share of the sentences with the same most probable label."""
    original: Estimate
    """Macro F1 of the original."""
    int8: Estimate
    """Macro F1 of the model in int8."""
    largest: float
    """Largest difference of a calibrated probability."""


class QuantizedRun(NamedTuple):
    """The result of a quantisation."""

    model_uri: str
    differences: list[Difference]
    link: str
    """Address of the run in the MLflow UI."""

    def text(self) -> str:
        """The model, and how it differs from the original."""
        table = differences_table(self.differences).to_string(index=False)
        return f"model {self.model_uri} in int8\n{table}\n{self.link}".rstrip()


class Quantized(NamedTuple):
    """A model before and after quantisation, and their calibrated probabilities."""

    classifier: CalibratedClassifier
    """In int8."""
    exact: _Probabilities
    """Of the original, in fp32."""
    rounded: _Probabilities


def run(config: QuantizeConfig) -> QuantizedRun:
    """Quantise a saved transformer and log the result as a model of its own; see `configs/quantize.yaml`.

    Raises:
        ClaimkindError: the model is no transformer, this machine does not compute in int8, or the dataset was not
            built.
    """
    check_samples(config.bootstrap_samples)
    original = tracking.fetch_model(config.model_uri)
    dataset = load_dataset(config.paths.data_dir, config.dataset.name, changed_settings(config.dataset))
    texts = calibration_texts(dataset, config.sentences, config.seed)
    quantized = quantize(original, texts, dataset)
    origin = tracking.origin_of(config.model_uri)
    name = origin.run.name if origin.run else config.model_uri
    tags = {"kind": "quantization", "original_model": origin.model_uri}
    tags |= {"dataset": dataset.name, "dataset_fingerprint": dataset.fingerprint}
    with tracking.start_run(config.experiment_name, f"int8 {name}", tags) as tracked:
        tracked.log_config(asdict(config), origin.params)
        model_uri = tracked.log_model(quantized.classifier)
        differences = [_compare(tracked, dataset, split, quantized, config.bootstrap_samples) for split in _HELD_OUT]
        log_reference(tracked, quantized.classifier, quantized.rounded["test"])
        tracked.log_text(card(origin.model_uri, quantized.classifier, len(texts), differences), "model_card.md")
        tracked.describe(_description(tracked, origin.model_uri, differences))
    return QuantizedRun(model_uri, differences, tracking.hint(tracked.page))


def calibration_texts(dataset: BuiltDataset, count: int, seed: int) -> list[str]:
    """Training sentences, drawn at random.

    Args:
        dataset: built.
        count: number of sentences.
        seed: of the draw.

    Raises:
        ClaimkindError: the number is not positive.
    """
    if count < 1:
        raise ClaimkindError(f"sentences={count}, expected 1 at least")
    train = dataset.splits["train"]
    rows = np.random.default_rng(seed).permutation(len(train))[:count]
    return list(train[rows]["text"])


def quantize(original: Predictor, texts: list[str], dataset: BuiltDataset) -> Quantized:
    """Quantise a model, and fit its temperature on the validation split.

    Args:
        original: a saved transformer.
        texts: training sentences.
        dataset: whose held-out splits are predicted by both.

    Raises:
        ClaimkindError: the model is no transformer, or this machine does not compute in int8.
    """
    inner = quantizable(original)
    _LOGGER.info("quantising with %d training sentences", len(texts))
    small = inner.quantized(texts)
    inner.set_inference(Inference(precision="fp32"))
    exact = {split: original.predict_proba(dataset.splits[split]["text"][:]) for split in _HELD_OUT}
    raw = {split: small.predict_proba(dataset.splits[split]["text"][:]) for split in _HELD_OUT}
    temperature = fit_temperature(np.asarray(dataset.splits["validation"]["label"]), raw["validation"])
    calibrated = CalibratedClassifier(small, temperature, original.abstain_below)
    return Quantized(calibrated, exact, {split: calibrated.calibrate(values) for split, values in raw.items()})


def quantizable(model: Predictor) -> Quantizable:
    """The transformer within a model, fitted or not.

    Raises:
        ClaimkindError: it is no transformer, or this machine does not compute in int8.
    """
    inner = uncalibrated(model)
    if not isinstance(inner, Quantizable):
        family = models.family_of(model)
        raise ClaimkindError(f"the model is of the family {family}, expected a transformer, which int8 makes faster")
    inner.check_int8()
    return inner


def _compare(
    tracked: tracking.Run, dataset: BuiltDataset, split: str, quantized: Quantized, samples: int
) -> Difference:
    """Evaluate both models on a split, and log the results of the one in int8."""
    exact, rounded = quantized.exact[split], quantized.rounded[split]
    before = _evaluated(dataset, split, exact, samples)
    after = _evaluated(dataset, split, rounded, samples, quantized.classifier.abstain_below)
    found = Difference(
        split,
        len(rounded),
        float((exact.argmax(axis=1) == rounded.argmax(axis=1)).mean()),
        before.scores["macro_f1"],
        after.scores["macro_f1"],
        float(np.abs(exact - rounded).max()),
    )
    metrics = after.headlines(split) if split == "test" else after.main_metric(split)
    tracked.log_metrics(metrics | {f"{split}/labels_as_in_fp32": found.agreement})
    log_results(tracked, split, predictions_of(dataset.splits[split], rounded), after)
    return found


def _evaluated(
    dataset: BuiltDataset, split: str, probabilities: np.ndarray, samples: int, abstain_below: float = 0.0
) -> Evaluation:
    predictions = predictions_for(dataset.splits[split], probabilities)
    return evaluate(predictions, samples=samples, abstain_below=abstain_below)


def differences_table(differences: list[Difference]) -> pd.DataFrame:
    """A row for each split."""
    return pd.DataFrame(
        {
            "split": found.split,
            "n": found.sentences,
            "labels as in fp32": f"{found.agreement:.2%}",
            "macro F1 in fp32": str(found.original),
            "macro F1 in int8": str(found.int8),
            "largest difference of a probability": f"{found.largest:.3f}",
        }
        for found in differences
    )


def card(original: str, calibrated: CalibratedClassifier, sentences: int, differences: list[Difference]) -> str:
    """The card of a quantised model in Markdown.

    Args:
        original: URI of the model that was quantised.
        calibrated: the model in int8.
        sentences: number of training sentences that it was calibrated with.
        differences: from the original.
    """
    return (
        f"# {original} in int8\n\n"
        f"The model `{original}`, by static quantisation after training: weights and activations of its matrix "
        f"products are in int8, with ranges measured on {sentences} training sentences (NNCF). It holds the original "
        "in fp32 too, which machines without instructions for int8 compute. Intended use, data, limits and licence are "
        "in the card of the original.\n\n"
        f"## Compared with the original\n\n{markdown_table(differences_table(differences))}\n\n"
        "Brackets are 95% confidence intervals from a bootstrap that resamples documents instead of sentences.\n\n"
        f"## Confidence\n\nThe temperature {calibrated.temperature:.3f} was fitted again on validation.\n"
    )


def _description(tracked: tracking.Run, original: str, differences: list[Difference]) -> str:
    test = differences[-1]
    headline = f"**Macro F1 {test.int8}** on test in int8, {test.original} in fp32"
    return description.page(
        headline,
        [f"- {test.agreement:.2%} of the labels are as in fp32", f"- Original: `{original}`", *tracked.origin()],
    )
