"""Scoring with Spark, on two cores of this machine."""

import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

from claimkind import tracking
from claimkind.config import ScoreConfig, ScoreSparkConfig
from claimkind.errors import ClaimkindError
from claimkind.labels import one_hot
from claimkind.models.calibration import CalibratedClassifier
from claimkind.models.hashing import HashingClassifier
from claimkind.models.inference import Inference
from claimkind.models.prediction import OUTPUT_COLUMNS
from claimkind.scoring import engine, spark
from tests.conftest import PLACES, TEMPLATES, run_script

SENTENCES = [(template.format(place), kind) for place in PLACES for kind in TEMPLATES for template in TEMPLATES[kind]]


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """A workspace with a model in its MLflow store that leaves some sentences undecided, and rows to score."""
    folder = tmp_path_factory.mktemp("spark")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        texts, kinds = zip(*SENTENCES, strict=True)
        fitted = CalibratedClassifier(HashingClassifier().fit(texts, one_hot(kinds)), 2.0, abstain_below=0.7)
        with tracking.start_run("spark", "model", {}) as tracked:
            uri = tracked.log_model(fitted)
        blurred = [f"{text} Perhaps it may." if number % 3 == 0 else text for number, text in enumerate(texts)]
        rows = pd.DataFrame({"id": range(len(texts)), "text": blurred, "label": kinds, "a.b": "x"})
        rows.loc[[3, 5], "text"] = [None, " \n\u00a0\u200b"]
        rows.to_parquet("rows.parquet", index=False)
        yield folder, uri


def settings(uri, **changes):
    given = {"input": "rows.parquet", "output": "scored", "model_uri": uri, "cores": 2, "overwrite": True}
    return ScoreSparkConfig(**{**given, **changes})


@pytest.mark.spark
def test_spark_gives_the_labels_of_the_local_engine(logged, monkeypatch):
    folder, uri = logged
    monkeypatch.chdir(folder)
    counts = spark.run(settings(uri, output="scored.parquet")).counts
    engine.run(ScoreConfig(input="rows.parquet", output="local.parquet", model_uri=uri))
    with_spark = pd.concat(map(pd.read_parquet, sorted(Path("scored.parquet").glob("part-*"))))
    local = pd.read_parquet("local.parquet").astype({"id": int})
    assert with_spark["id"].tolist() == list(range(len(SENTENCES))), "rows changed their places"
    assert list(with_spark.columns) == ["id", "text", "input_label", "a.b", *OUTPUT_COLUMNS]
    assert with_spark.loc[with_spark["label"].isna(), "id"].tolist() == [3, 5]
    scored = with_spark[with_spark["label"].notna()]
    assert scored["label"].tolist() == local["label"].tolist()
    assert "undecided" in set(scored["label"]), "the model abstains nowhere, so the test does not see it"
    assert scored["p_opinion"].tolist() == pytest.approx(local["p_opinion"].tolist(), abs=1e-6)
    assert counts == {"": 2, **scored["label"].value_counts().to_dict()}


@pytest.mark.spark
def test_the_script_reads_and_writes_other_formats(logged):
    folder, uri = logged
    text = 'The mill, "old",\nmay close.'
    pd.DataFrame({"body": [text, "Rain fell."]}).to_csv(folder / "in.csv", index=False)
    arguments = [f"model_uri={uri}", "input=in.csv", "text_column=body", "cores=1", "output=out.jsonl"]
    done = run_script("score_spark", *arguments, cwd=folder, check=True)
    assert done.stdout.startswith("out.jsonl: 2 rows, ")
    written = pd.concat([pd.read_json(part, lines=True) for part in (folder / "out.jsonl").glob("part-*")])
    assert sorted(written["body"]) == sorted([text, "Rain fell."])
    assert {"label", "confidence", "p_factual"} <= set(written)


@pytest.mark.spark
def test_cells_and_columns_come_out_as_they_went_in(logged, monkeypatch):
    folder, uri = logged
    monkeypatch.chdir(folder)
    rows = pd.DataFrame({"text": [" Rain fell. ", "Fog."], "place": ["a ", "b"], "said": ["c", "d"]})
    rows.to_csv("packed.csv.gz", index=False)
    spark.run(settings(uri, input="packed.csv.gz", output="out.csv"))
    written = pd.concat(map(pd.read_csv, sorted(Path("out.csv").glob("part-*"))))
    assert written[["text", "place", "said"]].to_dict("list") == rows.to_dict("list")
    pd.DataFrame({"text": [" ", ""]}).to_json("blank.jsonl", orient="records", lines=True)
    assert spark.run(settings(uri, input="blank.jsonl", output="out.jsonl")).counts == {"": 2}


@pytest.mark.spark
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"input": "none.parquet"}, r"Spark stopped \(\[PATH_NOT_FOUND\] .*none\.parquet"),
        ({"text_column": "body"}, "the input has no column 'body', expected one of its columns id, text, label, a.b"),
        ({"output": "taken", "overwrite": False}, "output=taken exists, expected a new one.*overwrite=true"),
        ({"model_uri": "models:/nobody@champion"}, "model_uri=models:/nobody@champion .*train"),
        ({"input_format": "prquet"}, r"Spark stopped \(.*prquet"),
        ({"env_manager": "uv"}, r"env_manager=uv ready .*env_manager=local"),
        ({"cores": None, "master": "nowhere"}, r"Spark does not start \(.*nowhere"),
    ],
)
def test_what_spark_cannot_do_is_one_sentence(logged, changes, sentence, monkeypatch):
    folder, uri = logged
    monkeypatch.chdir(folder)
    (folder / "taken").mkdir(exist_ok=True)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")  # without tools that make environments
    with pytest.raises(ClaimkindError, match=sentence):
        spark.run(settings(**{"uri": uri, **changes}))
    shutil.rmtree(folder / "taken")


@pytest.mark.spark
def test_only_an_output_of_spark_is_overwritten(logged, monkeypatch, tmp_path):
    folder, uri = logged
    monkeypatch.chdir(folder)
    files = [tmp_path / "notes" / "mine.txt", tmp_path / "both" / "mine.txt", tmp_path / "mine.parquet"]
    for path in files:
        path.parent.mkdir(exist_ok=True)
        path.write_text("keep")
    (tmp_path / "both" / "_SUCCESS").write_text("")
    for output in (tmp_path / "notes", tmp_path / "both", tmp_path / "mine.parquet"):
        with pytest.raises(ClaimkindError, match=f"output={output} exists and is no complete output of Spark, so"):
            spark.run(settings(uri, output=str(output), overwrite=True))
    assert [path.read_text() for path in files] == ["keep"] * 3
    again = str(tmp_path / "again")
    for _ in range(2):
        assert sum(spark.run(settings(uri, output=again, overwrite=True)).counts.values()) == len(SENTENCES)


def test_an_unknown_environment_is_refused_before_spark_starts():
    with pytest.raises(
        ClaimkindError, match="env_manager=pip is unknown, expected one of local, virtualenv, uv, conda"
    ):
        spark.run(settings("models:/m-1", env_manager="pip"))


@pytest.mark.parametrize(("given", "threads"), [({}, "1"), ({"spark.task.cpus": "4"}, "4")])
def test_a_worker_uses_the_cores_of_one_task(given, threads):
    assert spark._worker_settings(Inference(), given)["spark.executorEnv.OMP_NUM_THREADS"] == threads


def test_without_spark_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark.errors", None)
    with pytest.raises(ClaimkindError, match=r"pyspark is not installed, expected the extra spark: pip install"):
        spark.run(settings("models:/m-1"))


@pytest.mark.spark
def test_formulas_are_escaped_in_csv_as_by_the_local_engine(logged, monkeypatch):
    folder, uri = logged
    monkeypatch.chdir(folder)
    texts = ["=1+1", "-5", "'=1", "- an item", "+1-555-0100", "@a", "Rain fell.", "-1,5%"]
    pd.DataFrame({"id": range(len(texts)), "text": texts, "=n": texts}).to_parquet("formulas.parquet", index=False)
    spark.run(settings(uri, input="formulas.parquet", output="formulas.csv"))
    engine.run(ScoreConfig(input="formulas.parquet", output="local.csv", model_uri=uri))
    with_spark = pd.concat(pd.read_csv(path, dtype=str) for path in sorted(Path("formulas.csv").glob("part-*")))
    local = pd.read_csv("local.csv", dtype=str)
    assert with_spark[["text", "'=n"]].to_numpy().tolist() == local[["text", "'=n"]].to_numpy().tolist()
