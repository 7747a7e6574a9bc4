"""Benchmarks measure what they say."""

from claimkind.evaluation.benchmarks import BuildBenchmark


def test_the_build_benchmark_gives_a_line_per_size() -> None:
    table = BuildBenchmark(rows=[60, 120]).measure()
    assert table["rows"].tolist() == [60, 120]
    assert table["times_the_rows"].tolist() == [1, 2]
    assert (table[["seconds", "peak_mib", "rows_per_second"]] > 0).all(axis=None), "a build took no time or no memory"
