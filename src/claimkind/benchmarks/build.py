"""How building a dataset grows with its size."""

import csv
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from claimkind.config import BuildDatasetConfig, DatasetConfig, PathsConfig
from claimkind.labels import LABELS
from claimkind.manifest import sha256_file
from claimkind.scoring.summary import peak_mib


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
            "_target_": "claimkind.dataset.sources.table.Table",
            "files": {path.name: sha256_file(path)},
            "folder": folder,
            "licence": "own",
            "group_column": "article",
            "own_labels": {label: label for label in LABELS},
        }
        start = time.perf_counter()
        dataset = DatasetConfig(name="synthetic", sources={"synthetic": source})
        build_dataset(BuildDatasetConfig(dataset=dataset, paths=PathsConfig(data_dir=folder)))
        seconds = time.perf_counter() - start
    return size, seconds, peak_mib()


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
