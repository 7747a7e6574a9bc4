"""Benchmarks measure what they say."""

import numpy as np
import pytest

from claimkind import models
from claimkind.benchmarks.baselines import PlainTrainer
from claimkind.benchmarks.build import BuildBenchmark
from claimkind.benchmarks.quality import QualityBenchmark
from claimkind.benchmarks.scale import ScaleBenchmark
from claimkind.benchmarks.throughput import ThroughputBenchmark, _with_long
from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS, label_indices, one_hot
from claimkind.models.base import Examples
from claimkind.models.hashing import HashingClassifier, HashingSettings
from claimkind.models.transformer import TransformerClassifier, TransformerSettings
from tests.conftest import PLACES, TEMPLATES

TEXTS = [template.format(place) for place in PLACES[:6] for kind in LABELS for template in TEMPLATES[kind]]
NAMES = [kind for _ in PLACES[:6] for kind in LABELS for _ in TEMPLATES[kind]]
VALIDATION = Examples(TEXTS[:15], one_hot(NAMES[:15]))


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


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"systems": {}}, "benchmark.systems is empty, expected one at least"),
        ({"max_labels": -1}, "benchmark.max_labels=-1, expected 1 at least"),
        ({"systems": {"a": {"_target_": "claimkind.models.tfidf.TfidfClassifier", "min_df": 0}}}, "model.min_df=0"),
    ],
)
def test_a_quality_benchmark_that_must_fail_does_so_before_an_hour_of_training(settings, message) -> None:
    systems = {"a": {"_target_": "claimkind.models.tfidf.TfidfClassifier"}}
    with pytest.raises(ClaimkindError, match=message):
        QualityBenchmark("tiny", "data", **{"systems": systems, **settings})


def test_the_plain_trainer_learns_and_tells(tiny_encoder) -> None:
    settings = {"epochs": 25, "learning_rate": 5e-3}
    peer = PlainTrainer(encoder=str(tiny_encoder), revision="", sha256="", **settings)
    assert (peer.fit(TEXTS, NAMES, VALIDATION).predict(TEXTS) == label_indices(NAMES)).mean() > 0.9


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
def test_the_scoring_benchmark_measures_each_way_on_the_same_sentences(saved, in_workspace, capsys) -> None:
    data = str(in_workspace / "data")
    fast = [str(saved / "hashing")]
    backends = ["ours", "fp32", "bf16", "pipeline_32"]
    table = ThroughputBenchmark(
        "tiny", data, str(saved / "transformer"), fast, backends, 40, 60, long_share=0.1, rounds=1
    ).measure()
    ordinary = table[table["texts"] == "ordinary"].set_index("backend")
    assert ordinary.loc["ours", "labels as ours in fp32"] == 1
    assert (ordinary["labels as ours in fp32"] > 0.9).all(), "another backend labels otherwise"
    assert 0 < ordinary.loc["ours in bf16", "largest difference"] < 0.05, "bf16 rounds either not at all or too much"
    assert set(table["texts"]) == {"ordinary", "10% long", "distinct"}
    assert (table["per second"] > 0).all()
    assert {"hashing, scripts/score.py", "hashing, predict_proba on a list"} <= set(table["backend"])
    assert "GFLOP/s at best" in capsys.readouterr().out


def test_an_unknown_way_to_score_is_told() -> None:
    with pytest.raises(ClaimkindError, match=r"benchmark\.backends names 'onnx'.*onnx_int8"):
        ThroughputBenchmark("tiny", "data", None, [], backends=["ours", "onnx"])


@pytest.mark.slow
def test_the_scale_benchmark_relates_sizes_to_the_first(saved, in_workspace) -> None:
    table = ScaleBenchmark("tiny", str(in_workspace / "data"), str(saved / "hashing"), [50, 100], [None]).measure()
    assert table["rows"].tolist() == [50, 100]
    assert table["times the memory"][0] == table["times the speed"][0] == 1
    assert not list((in_workspace / "data").glob("tmp*")), "its files were left"


def test_long_sentences_are_long_and_the_others_stay() -> None:
    texts = [f"Rain fell on {place}." for place in PLACES]
    mixed = _with_long(texts, 2, np.random.default_rng(0))
    changed = [new for old, new in zip(texts, mixed, strict=True) if new != old]
    assert [len(text.split()) for text in changed] == [512, 512]
