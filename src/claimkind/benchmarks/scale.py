"""How time and memory of scoring grow with the input, for `scripts/score.py` and for Spark."""

import functools
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from claimkind.config import ScoreConfig, ScoreSparkConfig
from claimkind.dataset.load import load_dataset
from claimkind.scoring import engine
from claimkind.scoring.summary import peak_mib

_WRITTEN_AT_ONCE = 100_000


class ScoringCost(NamedTuple):
    """What scoring a file took."""

    seconds: float
    """Without the start of Python and the import of libraries."""
    peak_mib: float
    """Of the process and its workers; Java's memory is not counted."""


Score = Callable[[Path], ScoringCost]
"""Scores a parquet file."""


@dataclass(frozen=True)
class ScaleBenchmark:
    """Scores parquet files of several sizes with distinct texts, each in a process of its own."""

    dataset: str
    """A built dataset. The texts are its training sentences, each with a number appended."""
    data_dir: str
    """Where it is. The files are written to a temporary folder there."""
    model_uri: str
    """Of a saved model."""
    rows: list[int]
    """The sizes, ascending."""
    processes: list[int | None]
    """Numbers of processes to score in, one after the other; null lets `scripts/score.py` choose."""
    spark_cores: int | None = None
    """Number of cores to score on with Spark, too; null leaves Spark out."""
    rounds: int = 1
    """Number of measurements of each size; the median is reported."""

    def measure(self) -> pd.DataFrame:
        """Time and peak memory of each size, and their ratio to those of the first; see `Benchmark`."""
        sentences = load_dataset(self.data_dir, self.dataset).splits["train"]["text"][:]
        measured = []
        with tempfile.TemporaryDirectory(dir=self.data_dir) as folder:
            for size in tqdm(self.rows, desc="sizes"):
                source = Path(folder) / f"{size}.parquet"
                _write_rows(sentences, size, source)
                measured += [{"backend": name, "rows": size, **usage._asdict()} for name, usage in self._use(source)]
        return _with_ratios(pd.DataFrame(measured))

    def _use(self, source: Path) -> Iterator[tuple[str, ScoringCost]]:
        for _ in range(self.rounds):
            for name, score in self._backends().items():
                with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                    yield name, pool.submit(score, source).result()

    def _backends(self) -> dict[str, Score]:
        backends: dict[str, Score] = {
            f"scripts/score.py processes={number or 'null'}": functools.partial(_score, self.model_uri, number)
            for number in self.processes
        }
        if self.spark_cores:
            name = f"scripts/score_spark.py cores={self.spark_cores}"
            backends[name] = functools.partial(_score_with_spark, self.model_uri, self.spark_cores)
        return backends


def _with_ratios(measured: pd.DataFrame) -> pd.DataFrame:
    """The median of each backend and size, and its ratio to that of the first."""
    table = measured.groupby(["backend", "rows"], sort=False).median().reset_index()
    table["rows per second"] = table["rows"] / table["seconds"]
    for column, ratio in (("peak_mib", "times the memory"), ("rows per second", "times the speed")):
        table[ratio] = table[column] / table[column].iloc[0]
    return table.round(2)


def _write_rows(sentences: list[str], size: int, path: Path) -> None:
    schema = pa.schema([("id", pa.string()), ("text", pa.string())])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, size, _WRITTEN_AT_ONCE):
            numbers = range(start, min(size, start + _WRITTEN_AT_ONCE))
            texts = [f"{sentences[number % len(sentences)]} {number}" for number in numbers]
            writer.write_table(pa.table({"id": [str(number) for number in numbers], "text": texts}, schema=schema))


def _score(model_uri: str, processes: int | None, source: Path) -> ScoringCost:
    output = source.with_name("scored.parquet")
    start = time.perf_counter()
    scored = engine.run(ScoreConfig(input=str(source), output=str(output), model_uri=model_uri, processes=processes))
    return ScoringCost(time.perf_counter() - start, scored.peak)


def _score_with_spark(model_uri: str, cores: int, source: Path) -> ScoringCost:
    from claimkind.scoring import spark

    output = source.with_name("scored.spark")
    start = time.perf_counter()
    spark.run(ScoreSparkConfig(input=str(source), output=str(output), model_uri=model_uri, cores=cores, overwrite=True))
    return ScoringCost(time.perf_counter() - start, peak_mib())
