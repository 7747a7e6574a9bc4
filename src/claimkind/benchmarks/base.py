"""What `scripts/benchmark.py` runs; each benchmark is a class of this package and a file in `configs/benchmark/`."""

from typing import Protocol

import pandas as pd

from claimkind.config import BenchmarkConfig, build


class Benchmark(Protocol):
    """What every benchmark offers."""

    def measure(self) -> pd.DataFrame:
        """Measure, and give the figures as a table."""
        ...


def run(config: BenchmarkConfig) -> pd.DataFrame:
    """Run a benchmark and print its table."""
    benchmark: Benchmark = build(config.benchmark, "benchmark", "claimkind.benchmarks")
    table = benchmark.measure()
    print(table.to_string(index=False))  # noqa: T201
    return table
