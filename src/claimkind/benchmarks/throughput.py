"""Sentences a second of scoring, compared with other libraries and with the best that the machine can do."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from claimkind import models, tracking
from claimkind.benchmarks.backends import (
    OURS_FP32,
    QUANTIZED,
    TRANSFORMER_BACKENDS,
    TransformerBackend,
    fasttext_backends,
    linear_backends,
)
from claimkind.benchmarks.ceiling import log_ceiling
from claimkind.benchmarks.machine import log_machine
from claimkind.benchmarks.onnx_export import export_onnx
from claimkind.benchmarks.timing import Timings, time_backends
from claimkind.config import QuantizeConfig, nearest
from claimkind.dataset.load import BuiltDataset, load_dataset
from claimkind.errors import ClaimkindError
from claimkind.models.calibration import CalibratedClassifier
from claimkind.models.inference import Inference
from claimkind.training.quantization import calibration_texts

_LONG_TEXT = 512  # words


@dataclass(frozen=True)
class ThroughputBenchmark:
    """Times several backends on the same sentences. Each runs in a process of its own, and they take turns."""

    dataset: str
    """A built dataset; its training sentences are labelled."""
    data_dir: str
    """Where it is."""
    model_uri: str | None
    """A transformer; null leaves out the backends that use it."""
    fast_model_uris: list[str]
    """Models of other families."""
    backends: list[str]
    """Keys of `TRANSFORMER_BACKENDS`, to use the transformer with. Those that are not installed are left out, and the
    speed of the others is compared with that of the first."""
    sentences: int = 4000
    """Number of sentences for the transformer."""
    fast_sentences: int = 100_000
    """Number of sentences for the other models; a number is appended to sentences that are used more than once."""
    busy: int = 0
    """Number of processes that keep a core busy meanwhile, as other work on a shared machine does."""
    long_share: float = 0.01
    """Share of texts of 512 words in a second measurement, 0 to 1; 0 leaves that measurement out."""
    rounds: int = 5
    """Number of measurements of each backend; the median is reported."""
    seed: int = 0
    """Of the choice of sentences."""

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            ClaimkindError: there is no such backend.
        """
        for backend in self.backends:
            if backend not in TRANSFORMER_BACKENDS:
                raise ClaimkindError(f"benchmark.backends names {backend!r}; {nearest(backend, TRANSFORMER_BACKENDS)}")

    def measure(self) -> pd.DataFrame:
        """Speed of each backend, and how its labels and probabilities agree with ours in fp32; see `Benchmark`."""
        dataset = load_dataset(self.data_dir, self.dataset)
        train = dataset.splits["train"]["text"][:]
        log_machine()
        tables = self._measure_transformer(self.model_uri, dataset, train) if self.model_uri else []
        tables += self._measure_fast(train)
        if not tables:
            raise ClaimkindError("nothing to measure, expected a model: give benchmark.model_uri or fast_model_uris")
        return pd.concat(tables, ignore_index=True)

    def _measure_transformer(self, model_uri: str, dataset: BuiltDataset, train: Sequence[str]) -> list[pd.DataFrame]:
        folder = tracking.fetch_folder(model_uri)
        backends = _available(self.backends)
        samples = self._sample(train)
        with tempfile.TemporaryDirectory() as scratch:
            if any(backend.needs_export() for backend in backends):
                export_onnx(folder, Path(scratch))
            if any(backend.int8 for backend in backends):
                # By another seed, so that they are not those that are timed.
                texts = calibration_texts(dataset, QuantizeConfig.sentences, self.seed + 1)
                _save_int8(folder, texts, Path(scratch) / QUANTIZED)
            ready = [backend.of(folder, Path(scratch)) for backend in backends]
            tables = [
                _table(time_backends(ready, texts, self.rounds, self.busy), len(texts)).assign(texts=name)
                for name, texts in samples.items()
            ]
        log_ceiling(folder, samples["ordinary"], tables[0]["per second"].iloc[0])
        return tables

    def _sample(self, train: Sequence[str]) -> dict[str, list[str]]:
        """The texts for the transformer, by name of the measurement."""
        random = np.random.default_rng(self.seed)
        ordinary = [train[row] for row in random.permutation(len(train))[: self.sentences]]
        if not self.long_share:
            return {"ordinary": ordinary}
        mixed = with_long_texts(ordinary, round(self.long_share * len(ordinary)), random)
        return {"ordinary": ordinary, f"{self.long_share:.0%} long": mixed}

    def _measure_fast(self, train: Sequence[str]) -> list[pd.DataFrame]:
        texts = [f"{train[row % len(train)]} {row // len(train) or ''}".strip() for row in range(self.fast_sentences)]
        compared = [linear_backends(tracking.fetch_folder(uri)) for uri in self.fast_model_uris]
        compared.append(fasttext_backends(self.data_dir, self.dataset))
        return [
            _table(time_backends(backends, texts, self.rounds, self.busy), len(texts)).assign(texts="distinct")
            for backends in compared
            if backends
        ]


def _save_int8(folder: Path, texts: list[str], output: Path) -> None:
    """Save a saved transformer with a version in int8, calibrated with training sentences."""
    classifier: Any = models.load(folder, Inference("torch", "fp32"))
    if isinstance(classifier, CalibratedClassifier):
        inner: Any = classifier.classifier
        models.save(CalibratedClassifier(inner.quantized(texts), classifier.temperature), output)
    else:
        models.save(classifier.quantized(texts), output)


def _available(names: Sequence[str]) -> list[TransformerBackend]:
    backends = [TRANSFORMER_BACKENDS[name] for name in names]
    installed = [backend for backend in backends if backend.is_available()]
    if not installed:
        raise ClaimkindError(f"nothing is installed for {', '.join(names)}: pip install 'claimkind[bench]'")
    return installed


def _table(measured: Mapping[str, Timings], texts: int) -> pd.DataFrame:
    """One row a backend; the speed-up is that of the first backend over the row's."""
    first = next(iter(measured.values()))
    rows = []
    for name, timings in measured.items():
        row: dict[str, Any] = {"backend": name, "n": texts, "per second": round(texts / timings.median, 1)}
        row["speed-up of the first"] = round(timings.median / first.median, 2)
        row["per second in the slowest round"] = round(texts / max(timings.seconds), 1)
        rows.append(row | _agreement(name, timings.probabilities, measured))
    return pd.DataFrame(rows)


def _agreement(name: str, probabilities: np.ndarray, measured: Mapping[str, Timings]) -> dict[str, float]:
    """How far labels, and for our own backends calibrated probabilities, agree with those of ours in fp32."""
    if OURS_FP32 not in measured:
        return {}
    exact = measured[OURS_FP32].probabilities
    same = probabilities.argmax(axis=1) == exact.argmax(axis=1)
    result = {"labels as in fp32": round(float(same.mean()), 5)}
    if name.startswith("ours"):  # others do not calibrate their probabilities
        result["largest difference"] = round(float(np.abs(probabilities - exact).max()), 4)
    return result


def with_long_texts(texts: Sequence[str], count: int, random: np.random.Generator) -> list[str]:
    """Replace `count` texts at random places by texts of 512 words, so of at least as many tokens."""
    mixed = list(texts)
    for row in random.permutation(len(texts))[:count]:
        words: list[str] = []
        while len(words) < _LONG_TEXT:
            words += texts[int(random.integers(len(texts)))].split()
        mixed[row] = " ".join(words[:_LONG_TEXT])
    return mixed
