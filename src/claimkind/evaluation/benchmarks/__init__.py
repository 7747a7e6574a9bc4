"""Benchmarks that anyone can run again; each is a class here and a YAML file in `configs/benchmark/`."""

import csv
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from tqdm import tqdm

from claimkind.config import BenchmarkConfig, BuildDatasetConfig, DatasetConfig, build
from claimkind.dataset.build import load_dataset
from claimkind.dataset.rows import evidence_of
from claimkind.errors import ClaimkindError
from claimkind.evaluation.metrics import estimate
from claimkind.evaluation.peers import Ours, Peer
from claimkind.labels import LABELS
from claimkind.manifest import sha256_file
from claimkind.models.base import Examples
from claimkind.scoring.summary import peak_mib


class Benchmark(Protocol):
    """What every benchmark offers."""

    def measure(self) -> pd.DataFrame:
        """Measure, and give the figures as a table."""
        ...


def run(config: BenchmarkConfig) -> pd.DataFrame:
    """Run a benchmark and print its table."""
    benchmark: Benchmark = build(config.benchmark, "benchmark", "claimkind.evaluation.benchmarks")
    table = benchmark.measure()
    print(table.to_string(index=False))  # noqa: T201
    return table


class _Measured(NamedTuple):
    rows: int
    seconds: float
    peak_mib: float


class BuildBenchmark:
    """Builds datasets of synthetic sentences of several sizes, each in a process of its own."""

    def __init__(self, rows: list[int], seed: int = 0) -> None:
        """Settings: the sizes, ascending, and the seed of the sentences."""
        self.rows, self.seed = rows, seed

    def measure(self) -> pd.DataFrame:
        """Time and peak memory of each size, and how the time grows with the rows."""
        context = multiprocessing.get_context("spawn")
        with context.Pool(1, maxtasksperchild=1) as pool:
            jobs = [(size, self.seed) for size in self.rows]
            measured = [_Measured(*pool.apply(_build, job)) for job in tqdm(jobs, desc="builds")]
        table = pd.DataFrame(measured)
        table["rows_per_second"] = (table["rows"] / table["seconds"]).round()
        table["times_the_rows"] = table["rows"] / table["rows"][0]
        table["times_the_seconds"] = table["seconds"] / table["seconds"][0]
        return table.round(2)


def _build(size: int, seed: int) -> tuple[int, float, float]:
    from claimkind.dataset.build import run as build_dataset

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "synthetic.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("text", "label", "article"), *_synthetic_rows(size, seed)])
        source = {
            "_target_": "claimkind.dataset.tables.Table",
            "files": {path.name: sha256_file(path)},
            "folder": folder,
            "licence": "own",
            "group_column": "article",
            "own_labels": {label: label for label in LABELS},
        }
        start = time.perf_counter()
        dataset = DatasetConfig(name="synthetic", sources={"synthetic": source})
        build_dataset(BuildDatasetConfig(dataset=dataset, data_dir=folder))
        seconds = time.perf_counter() - start
    return size, seconds, peak_mib()


class QualityBenchmark:
    """Trains systems on the same sentences, each in a process of its own, and tests them on the same others."""

    def __init__(self, dataset: str, data_dir: str, systems: dict[str, Any], max_labels: int | None = None) -> None:
        """Settings.

        Args:
            dataset: name of a built dataset.
            data_dir: where it is.
            systems: by name the settings of a model of ours (`claimkind.models`) or of a peer
                (`claimkind.evaluation.peers`).
            max_labels: so many training rows, the first in the order of their digests.
        """
        systems = {name: settings for name, settings in systems.items() if settings is not None}
        if not systems:
            raise ClaimkindError("benchmark.systems is empty, expected one at least: leave some in")
        if max_labels is not None and max_labels < 1:
            raise ClaimkindError(f"benchmark.max_labels={max_labels}, expected 1 at least, or null for all: correct it")
        self.dataset, self.data_dir, self.systems, self.max_labels = dataset, data_dir, systems, max_labels
        for settings in systems.values():  # an hour of training comes before the last of them
            _peer(settings)

    def measure(self) -> pd.DataFrame:
        """Macro F1 on the test split, and the seconds of training and of prediction; a peer may be missing."""
        rows: list[dict[str, Any]] = []
        context = multiprocessing.get_context("spawn")
        for name, settings in tqdm(self.systems.items(), desc="systems"):
            with context.Pool(1, maxtasksperchild=1) as pool:
                rows.append({"system": name, **pool.apply(_train_and_test, (settings, self))})
            tqdm.write(str(rows[-1]), file=sys.stderr)
        return pd.DataFrame(rows)


def _train_and_test(settings: dict[str, Any], benchmark: QualityBenchmark) -> dict[str, Any]:
    splits = load_dataset(benchmark.data_dir, benchmark.dataset).splits
    train = splits["train"].to_pandas()
    train = train[train["label"].notna()].sort_values("sha")[: benchmark.max_labels]
    validation = Examples(splits["validation"]["text"][:], evidence_of(splits["validation"]))
    test = splits["test"].to_pandas()
    start = time.perf_counter()
    try:
        peer = _peer(settings)
        peer.fit(train["text"].tolist(), [LABELS[int(label)] for label in train["label"]], validation)
    except ModuleNotFoundError as error:
        return {"macro F1": f"{error.name} is not installed: pip install -e '.[bench]'"}
    trained = time.perf_counter()
    predicted = peer.predict(test["text"].tolist())
    ended = time.perf_counter()
    truth = test["label"].to_numpy(dtype=int)
    scores = estimate(truth, np.eye(len(LABELS))[predicted], test["group"].tolist(), samples=1000, seed=0)
    return {
        "trained on": len(train),
        "n": len(test),
        "macro F1": str(scores["macro_f1"]),
        "training seconds": round(trained - start, 1),
        "prediction seconds": round(ended - trained, 2),
    }


def _peer(settings: dict[str, Any]) -> Peer:
    if str(settings.get("_target_", "")).startswith("claimkind.models."):
        return Ours(build(settings, "benchmark.systems", "claimkind.models"))
    peer: Peer = build(settings, "benchmark.systems", "claimkind.evaluation.peers")
    return peer


def _synthetic_rows(size: int, seed: int) -> Iterator[tuple[str, str, str]]:
    """Sentences of 8 to 30 words, drawn by Zipf's law from 20,000; ten of them make an article."""
    random = np.random.default_rng(seed)
    syllables = [a + b for a in "bcdfghjklmnprstvwz" for b in ("a", "e", "i", "o", "u", "an", "er", "is", "ol", "um")]
    words = ["".join(random.choice(syllables, 3)) for _ in range(20_000)]
    chances = 1 / np.arange(1, len(words) + 1)
    chances /= chances.sum()
    for row in range(size):
        if row % 10_000 == 0:
            drawn = iter(random.choice(words, 10_000 * 30, p=chances))
        sentence = " ".join(next(drawn) for _ in range(8 + int(random.integers(23))))
        yield f"{sentence.capitalize()}.", LABELS[int(random.integers(3))], f"article {row // 10}"
