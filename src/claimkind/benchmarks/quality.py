"""Macro F1 of our models and of baseline systems that are trained on the same sentences."""

import logging
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from claimkind.benchmarks.baselines import Ours, System
from claimkind.config import build
from claimkind.dataset.load import load_dataset
from claimkind.dataset.rows import evidence_of, with_names
from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS
from claimkind.metrics.bootstrap import estimate
from claimkind.models.base import Examples

_LOGGER = logging.getLogger(__name__)


class _Split(NamedTuple):
    """Labelled sentences that every system is trained and tested on."""

    texts: list[str]
    labels: list[str]
    validation: Examples
    test: pd.DataFrame


@dataclass(frozen=True)
class QualityBenchmark:
    """Trains each system in a process of its own and tests it on the test split."""

    dataset: str
    """A built dataset."""
    data_dir: str
    """Where it is."""
    systems: dict[str, Any]
    """By name the settings of a model (`claimkind.models`) or a baseline (`claimkind.benchmarks.baselines`); null
    leaves a system out."""
    max_labels: int | None = None
    """Number of training rows, the first in the order of their digests; null takes all."""

    def __post_init__(self) -> None:
        """Check the settings of every system, since an hour of training may come before the last of them.

        Raises:
            ClaimkindError: there is no system, or a setting is not as it should be.
        """
        if not self._used():
            raise ClaimkindError("benchmark.systems is empty, expected at least one: keep some of them")
        if self.max_labels is not None and self.max_labels < 1:
            raise ClaimkindError(f"benchmark.max_labels={self.max_labels}, expected at least 1, or null for all")
        for settings in self._used().values():
            _build_system(settings)

    def measure(self) -> pd.DataFrame:
        """Macro F1 on the test split, and the seconds of training and prediction; see `Benchmark`."""
        rows: list[dict[str, Any]] = []
        context = multiprocessing.get_context("spawn")
        for name, settings in tqdm(self._used().items(), desc="systems"):
            with context.Pool(1, maxtasksperchild=1) as pool:
                rows.append({"system": name, **pool.apply(_train_and_test, (settings, self))})
            _LOGGER.info("%s", rows[-1])
        return pd.DataFrame(rows)

    def _used(self) -> dict[str, Any]:
        return {name: settings for name, settings in self.systems.items() if settings is not None}


def _train_and_test(settings: dict[str, Any], benchmark: QualityBenchmark) -> dict[str, Any]:
    rows = _load_split(benchmark)
    test_texts = rows.test["text"].tolist()
    start = time.perf_counter()
    try:
        system = _build_system(settings).fit(rows.texts, rows.labels, rows.validation)
    except ModuleNotFoundError as error:
        return {"macro F1": f"{error.name} is not installed: pip install 'claimkind[bench]'"}
    trained = time.perf_counter()
    predicted = system.predict(test_texts)
    ended = time.perf_counter()
    return {
        "trained on": len(rows.texts),
        "n": len(test_texts),
        "macro F1": _macro_f1(rows.test, predicted),
        "training seconds": round(trained - start, 1),
        "prediction seconds": round(ended - trained, 2),
    }


def _load_split(benchmark: QualityBenchmark) -> _Split:
    splits = load_dataset(benchmark.data_dir, benchmark.dataset).splits
    train = with_names(splits["train"])
    train = train[train["label"].notna()].sort_values("sha")[: benchmark.max_labels]
    validation = Examples(splits["validation"]["text"][:], evidence_of(splits["validation"]))
    return _Split(train["text"].tolist(), train["label"].tolist(), validation, splits["test"].to_pandas())


def _macro_f1(test: pd.DataFrame, predicted: Sequence[int] | np.ndarray) -> str:
    """Macro F1 with its interval."""
    truth, groups = test["label"].to_numpy(dtype=int), test["group"].tolist()
    return str(estimate(truth, np.eye(len(LABELS))[predicted], groups, samples=1000, seed=0)["macro_f1"])


def _build_system(settings: dict[str, Any]) -> System:
    if str(settings.get("_target_", "")).startswith("claimkind.models."):
        return Ours(build(settings, "benchmark.systems", "claimkind.models"))
    system: System = build(settings, "benchmark.systems", "claimkind.benchmarks.baselines")
    return system
