"""The interface of a benchmark, and what `scripts/benchmark.py` calls.

Each benchmark is a dataclass in this package whose fields are its settings, and a file in `configs/benchmark/`.
"""

from typing import NamedTuple, Protocol

import pandas as pd

from claimkind.config import BenchmarkConfig, build
from claimkind.evaluation.model_card import markdown_table


class Benchmark(Protocol):
    """What every benchmark offers."""

    def measure(self) -> pd.DataFrame:
        """Measure, and return the figures as a table.

        Raises:
            ClaimkindError: a model or dataset is missing, or there is nothing to measure.
        """
        ...


class BenchmarkResult(NamedTuple):
    """The figures of a benchmark."""

    table: pd.DataFrame

    def text(self) -> str:
        """The table in Markdown, as `docs/results.md` has it."""
        return markdown_table(self.table)


def run(config: BenchmarkConfig) -> BenchmarkResult:
    """Run the benchmark of a configuration.

    Raises:
        ClaimkindError: a setting is not as it should be; see also `Benchmark.measure`.
    """
    benchmark: Benchmark = build(config.benchmark, "benchmark", "claimkind.benchmarks")
    return BenchmarkResult(benchmark.measure())
