"""How scoring grows with its input: time and memory of the engine, and of Spark beside it."""

import functools
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from claimkind.config import ScoreConfig, ScoreSparkConfig
from claimkind.dataset.load import load_dataset
from claimkind.scoring.summary import peak_mib

_AT_ONCE = 100_000


class ScaleBenchmark:
    """Scores parquet files of several sizes, every row another, each in a process of its own."""

    def __init__(
        self,
        dataset: str,
        data_dir: str,
        model_uri: str,
        rows: list[int],
        processes: list[int | None],
        spark_cores: int | None = None,
        rounds: int = 1,
    ) -> None:
        """Settings.

        Args:
            dataset: name of a built dataset whose training sentences the rows are made of, with numbers behind them.
            data_dir: where it is; the files are made beside it and taken away.
            model_uri: of a saved model.
            rows: the sizes, ascending.
            processes: in how many to score, one backend after the other; null lets `scripts/score.py` choose.
            spark_cores: score with Spark on so many cores too; null leaves it out.
            rounds: how often each size is measured; the median counts.
        """
        self.dataset, self.data_dir, self.model_uri = dataset, data_dir, model_uri
        self.rows, self.processes, self.spark_cores, self.rounds = rows, processes, spark_cores, rounds

    def measure(self) -> pd.DataFrame:
        """Time and peak memory of each size, and how they relate to those of the first."""
        sentences = load_dataset(self.data_dir, self.dataset).splits["train"]["text"][:]
        backends: dict[str, Callable[..., Timing]] = {
            f"scripts/score.py processes={number or 'null'}": functools.partial(_score, processes=number)
            for number in self.processes
        }
        if self.spark_cores:
            backends[f"scripts/score_spark.py cores={self.spark_cores}"] = _score_with_spark
        took = []
        with tempfile.TemporaryDirectory(dir=self.data_dir) as folder:
            for size in tqdm(self.rows, desc="sizes"):
                source = Path(folder) / f"{size}.parquet"
                _write_rows(sentences, size, source)
                for _ in range(self.rounds):
                    for name, backend in backends.items():
                        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                            job = (source, self.model_uri, self.spark_cores)
                            took.append(
                                {"backend": name, "rows": size, **pool.submit(backend, *job).result()._asdict()}
                            )
        table = pd.DataFrame(took).groupby(["backend", "rows"], sort=False).median().reset_index()
        table["rows per second"] = table["rows"] / table["seconds"]
        for column, ratio in (("peak_mib", "times the memory"), ("rows per second", "times the speed")):
            table[ratio] = table[column] / table[column].iloc[0]
        return table.round(2)


class Timing(NamedTuple):
    seconds: float
    """From the start of the script's work to its end; Python and its libraries were started before."""
    peak_mib: float
    """Of the process and its workers; Java is none of them that is counted."""


def _write_rows(sentences: list[str], size: int, path: Path) -> None:
    schema = pa.schema([("id", pa.string()), ("text", pa.string())])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, size, _AT_ONCE):
            numbers = range(start, min(size, start + _AT_ONCE))
            texts = [f"{sentences[number % len(sentences)]} {number}" for number in numbers]
            writer.write_table(pa.table({"id": [str(number) for number in numbers], "text": texts}, schema=schema))


def _score(source: Path, model_uri: str, cores: int | None, processes: int | None = None) -> Timing:
    from claimkind.scoring import engine

    start = time.perf_counter()
    output = source.with_name("scored.parquet")
    scored = ScoreConfig(input=str(source), output=str(output), model_uri=model_uri, processes=processes)
    peak = engine.run(scored).peak
    return Timing(time.perf_counter() - start, peak)


def _score_with_spark(source: Path, model_uri: str, cores: int | None) -> Timing:
    from claimkind.scoring import spark

    start = time.perf_counter()
    output = source.with_name("scored.spark")
    spark.run(ScoreSparkConfig(input=str(source), output=str(output), model_uri=model_uri, cores=cores, overwrite=True))
    return Timing(time.perf_counter() - start, peak_mib())
