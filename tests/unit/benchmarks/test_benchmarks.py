"""Benchmarks measure what they claim."""

import logging

import numpy as np
import pytest

from claimkind import models, tracking
from claimkind.benchmarks.base import run
from claimkind.benchmarks.baselines import PlainTrainer
from claimkind.benchmarks.build import BuildBenchmark
from claimkind.benchmarks.quality import QualityBenchmark
from claimkind.benchmarks.scale import ScaleBenchmark
from claimkind.benchmarks.serving import ServingBenchmark, send
from claimkind.benchmarks.throughput import ThroughputBenchmark, with_long_texts
from claimkind.config import BenchmarkConfig
from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS, label_indices, one_hot
from claimkind.models.base import Examples
from claimkind.models.hashing import HashingClassifier, HashingSettings
from claimkind.models.transformer import TransformerClassifier, TransformerSettings
from tests.conftest import PLACES, TEMPLATES

TEXTS = [template.format(place) for place in PLACES[:6] for kind in LABELS for template in TEMPLATES[kind]]
NAMES = [kind for _ in PLACES[:6] for kind in LABELS for _ in TEMPLATES[kind]]
VALIDATION = Examples(TEXTS[:15], one_hot(NAMES[:15]))


@pytest.mark.slow
def test_the_build_benchmark_has_a_row_for_each_size() -> None:
    table = BuildBenchmark(rows=[60, 120]).measure()
    assert table["rows"].tolist() == [60, 120]
    assert table["times_the_rows"].tolist() == [1, 2]
    assert (table[["seconds", "peak_mib", "rows_per_second"]] > 0).all(axis=None), "a build took no time or no memory"


@pytest.mark.slow
def test_the_result_of_a_benchmark_is_its_table() -> None:
    result = run(BenchmarkConfig({"_target_": "claimkind.benchmarks.build.BuildBenchmark", "rows": [60]}))
    header, _, row = result.text().splitlines()
    assert header.startswith("| rows | seconds | peak_mib |")
    assert row.startswith("| 60 |")


@pytest.mark.slow
def test_the_quality_benchmark_trains_each_system_on_the_same_rows(in_workspace) -> None:
    systems = {
        # N-grams that occur in 50 sentences of 60 do not distinguish the labels.
        name: {"_target_": "claimkind.models.tfidf.TfidfClassifier", "min_df": frequency, "cues": 0}
        for name, frequency in (("strong", 1), ("weak", 50))
    }
    table = QualityBenchmark("tiny", str(in_workspace / "data"), systems, max_labels=60).measure().set_index("system")
    assert table["trained on"].tolist() == [60, 60]
    assert table["macro F1"]["strong"] > table["macro F1"]["weak"]
    assert (table[["training seconds", "prediction seconds"]] >= 0).all(axis=None)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"systems": {}}, "benchmark.systems is empty, expected at least one"),
        ({"max_labels": -1}, "benchmark.max_labels=-1, expected at least 1"),
        ({"systems": {"a": {"_target_": "claimkind.models.tfidf.TfidfClassifier", "min_df": 0}}}, "model.min_df=0"),
    ],
)
def test_wrong_settings_of_a_quality_benchmark_are_refused_before_any_training(settings, message) -> None:
    systems = {"a": {"_target_": "claimkind.models.tfidf.TfidfClassifier"}}
    with pytest.raises(ClaimkindError, match=message):
        QualityBenchmark("tiny", "data", **{"systems": systems, **settings})


def test_the_plain_trainer_learns_its_training_sentences(tiny_encoder) -> None:
    settings = {"epochs": 25, "learning_rate": 5e-3}
    system = PlainTrainer(encoder=str(tiny_encoder), revision="", sha256="", **settings)
    assert (system.fit(TEXTS, NAMES, VALIDATION).predict(TEXTS) == label_indices(NAMES)).mean() > 0.9


@pytest.fixture
def saved(tmp_path, tiny_encoder):
    """A transformer and a hashing model, untrained and trained, as folders."""
    transformer = TransformerClassifier(
        TransformerSettings(str(tiny_encoder), epochs=1, precision="fp32", rdrop_alpha=0)
    )
    models.save(transformer.fit(TEXTS, one_hot(NAMES)), tmp_path / "transformer")
    models.save(HashingClassifier(HashingSettings(bits=10)).fit(TEXTS, one_hot(NAMES)), tmp_path / "hashing")
    return tmp_path


@pytest.mark.slow
def test_the_throughput_benchmark_times_each_backend_on_the_same_sentences(saved, in_workspace, caplog) -> None:
    caplog.set_level(logging.INFO)
    data = str(in_workspace / "data")
    fast = [str(saved / "hashing")]
    backends = ["ours", "torch_fp32", "torch_bf16", "openvino_int8", "pipeline_32", "loop_int8"]
    table = ThroughputBenchmark(
        "tiny", data, str(saved / "transformer"), fast, backends, 40, 60, busy=1, long_share=0.1, rounds=1
    ).measure()
    ordinary = table[table["texts"] == "ordinary"].set_index("backend")
    assert ordinary.loc["ours, as it chooses", "labels as in fp32"] == 1
    assert (ordinary["labels as in fp32"] > 0.9).all(), "another backend labels otherwise"
    assert 0 < ordinary.loc["ours, PyTorch, bf16", "largest difference"] < 0.05, (
        "bf16 rounds either not at all or too much"
    )
    assert set(table["texts"]) == {"ordinary", "10% long", "distinct"}
    assert (table["per second"] > 0).all()
    assert {"hashing, scripts/score.py", "hashing, predict_proba on a list"} <= set(table["backend"])
    assert any("torch 2." in line for line in caplog.messages), "the versions are not named"
    assert any("float32 on" in line and "GFLOP/s" in line for line in caplog.messages)


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(ClaimkindError, match=r"benchmark\.backends names 'onnx'.*onnx_int8"):
        ThroughputBenchmark("tiny", "data", None, [], backends=["ours", "onnx"])


@pytest.mark.slow
def test_the_scale_benchmark_compares_each_size_with_the_first(saved, in_workspace) -> None:
    table = ScaleBenchmark("tiny", str(in_workspace / "data"), str(saved / "hashing"), [50, 100], [None]).measure()
    assert table["rows"].tolist() == [50, 100]
    assert table["times the memory"][0] == table["times the speed"][0] == 1
    assert not list((in_workspace / "data").glob("tmp*")), "its files were not removed"


def test_long_texts_replace_some_sentences_and_leave_the_others() -> None:
    texts = [f"Rain fell on {place}." for place in PLACES]
    mixed = with_long_texts(texts, 2, np.random.default_rng(0))
    changed = [new for old, new in zip(texts, mixed, strict=True) if new != old]
    assert [len(text.split()) for text in changed] == [512, 512]


@pytest.mark.parametrize("changed", [{"model_uris": []}, {"clients": 0}, {"seconds": 0}, {"workers": -1}])
def test_wrong_settings_of_a_serving_benchmark_are_refused(changed) -> None:
    with pytest.raises(ClaimkindError, match=f"benchmark.{next(iter(changed))}"):
        ServingBenchmark("tiny", "data", **{"model_uris": ["models:/m-1"], **changed})


@pytest.mark.slow
def test_the_serving_benchmark_counts_requests_and_errors(in_workspace) -> None:
    with tracking.start_run("serving", "model", {}) as tracked:
        uri = tracked.log_model(HashingClassifier(HashingSettings(bits=10)).fit(TEXTS, one_hot(NAMES)))
    table = ServingBenchmark("tiny", str(in_workspace / "data"), [uri], clients=4, seconds=3).measure()
    (row,) = table.to_dict("records")
    assert row["requests"] > 10
    assert row["errors"] == 0
    assert 0 < row["p50 ms"] <= row["p99 ms"] <= row["slowest ms"]
    assert 50 < row["MiB after a tenth"] < 10_000
    assert send("http://127.0.0.1:9/", "x").status == 0


@pytest.mark.slow
def test_a_model_that_is_not_there_cannot_be_served(in_workspace) -> None:
    with pytest.raises(ClaimkindError, match="mlflow models serve -m models:/m-none does not start"):
        ServingBenchmark("tiny", str(in_workspace / "data"), ["models:/m-none"], seconds=1).measure()
