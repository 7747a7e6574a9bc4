"""Benchmarks measure what they say."""

from claimkind.evaluation.benchmarks import BuildBenchmark, QualityBenchmark


def test_the_build_benchmark_gives_a_line_per_size() -> None:
    table = BuildBenchmark(rows=[60, 120]).measure()
    assert table["rows"].tolist() == [60, 120]
    assert table["times_the_rows"].tolist() == [1, 2]
    assert (table[["seconds", "peak_mib", "rows_per_second"]] > 0).all(axis=None), "a build took no time or no memory"


def test_the_quality_benchmark_trains_each_system_on_the_same_rows(in_workspace) -> None:
    systems = {
        # What occurs in 50 sentences of 60 tells them apart no more.
        name: {"_target_": "claimkind.models.tfidf.TfidfClassifier", "min_df": frequency, "cues": 0}
        for name, frequency in (("strong", 1), ("weak", 50))
    }
    table = QualityBenchmark("tiny", str(in_workspace / "data"), systems, max_labels=60).measure().set_index("system")
    assert table["trained on"].tolist() == [60, 60]
    assert table["macro F1"]["strong"] > table["macro F1"]["weak"]
    assert (table[["training seconds", "prediction seconds"]] >= 0).all(axis=None)
