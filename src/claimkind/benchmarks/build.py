"""How time and memory of building a dataset grow with its size."""

import csv
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from claimkind.config import BuildDatasetConfig, DatasetConfig, PathsConfig
from claimkind.dataset.build import run as build_dataset
from claimkind.labels import LABELS
from claimkind.scoring.summary import peak_mib


class _BuildCost(NamedTuple):
    """What a build took."""

    rows: int
    seconds: float
    peak_mib: float


@dataclass(frozen=True)
class BuildBenchmark:
    """Builds datasets of synthetic sentences in several sizes, each in a process of its own."""

    rows: list[int]
    """The sizes, ascending."""
    seed: int = 0
    """Of the sentences."""

    def measure(self) -> pd.DataFrame:
        """Time and peak memory of each size, and their ratio to those of the first; see `Benchmark`."""
        context = multiprocessing.get_context("spawn")
        with context.Pool(1, maxtasksperchild=1) as pool:
            measured = [pool.apply(_build, (size, self.seed)) for size in tqdm(self.rows, desc="builds")]
        table = pd.DataFrame(measured)
        table["rows_per_second"] = (table["rows"] / table["seconds"]).round()
        table["times_the_rows"] = table["rows"] / table["rows"][0]
        table["times_the_seconds"] = table["seconds"] / table["seconds"][0]
        return table.round(2)


def _build(size: int, seed: int) -> _BuildCost:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "synthetic.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("text", "label", "article"), *_synthetic_rows(size, seed)])
        dataset = DatasetConfig(name="synthetic", sources={"synthetic": _source_of(path)})
        start = time.perf_counter()
        build_dataset(BuildDatasetConfig(dataset=dataset, paths=PathsConfig(data_dir=folder)))
        return _BuildCost(size, time.perf_counter() - start, peak_mib())


def _source_of(path: Path) -> dict[str, object]:
    return {
        "_target_": "claimkind.dataset.sources.table.Table",
        "files": {path.name: None},
        "folder": str(path.parent),
        "licence": "own",
        "group_column": "article",
        "own_labels": {label: label for label in LABELS},
    }


def _synthetic_rows(size: int, seed: int) -> Iterator[tuple[str, str, str]]:
    """Sentences of 8 to 30 words, drawn by Zipf's law from 20,000 words; each article has ten."""
    random = np.random.default_rng(seed)
    syllables = [a + b for a in "bcdfghjklmnprstvwz" for b in ("a", "e", "i", "o", "u", "an", "er", "is", "ol", "um")]
    words = ["".join(random.choice(syllables, 3)) for _ in range(20_000)]
    weights = 1 / np.arange(1, len(words) + 1)
    probabilities = weights / weights.sum()
    for row in range(size):
        if row % 10_000 == 0:
            drawn = iter(random.choice(words, 10_000 * 30, p=probabilities))
        sentence = " ".join(next(drawn) for _ in range(8 + int(random.integers(23))))
        yield f"{sentence.capitalize()}.", LABELS[int(random.integers(3))], f"article {row // 10}"
