"""The scripts one after the other, as a user runs them: what `make demo` does, on small seeds."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from tests.conftest import ROOT, run_script

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(seeds, tiny_encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    encoder = [f"model.encoder={tiny_encoder}", "model.revision=null", "model.sha256=null", "model.epochs=2"]

    def script(name, *arguments):
        return run_script(name, *arguments, cwd=folder, check=True).stdout

    out = {
        "build": script("build_dataset", f"paths.seeds_dir={seeds}", "dataset.near_duplicate_threshold=1"),
        "tfidf": script("train", "model=tfidf"),
        "minilm": script("train", "model=minilm", *encoder),
        "compare": script("compare", "promote=true"),
        "score": script(
            "score", f"input={seeds}/documents/article.md", "output=out/article.parquet", "report=out/article.html"
        ),
    }
    return folder, out


def test_the_table_shows_both_models_with_intervals(demo):
    lines = demo[1]["compare"].splitlines()
    table = [line for line in lines if "[" in line]
    assert len(table) == 2
    assert any("not separable on" in line or "is better than" in line for line in lines), "no verdict in words"


def test_the_better_model_on_validation_becomes_champion(demo):
    lines = demo[1]["compare"].splitlines()
    best = next(line for line in lines if "validation macro F1" in line and "[" not in line)
    first = lines[lines.index(best) + 1].split()[0]
    assert (
        f"{first} has the best macro F1 on validation, and no model has the alias yet: "
        "registered as claimkind version 1, alias champion"
    ) in lines


def test_the_champion_keeps_its_alias_unless_another_beats_it(demo):
    folder, _ = demo
    again = run_script("compare", "promote=true", cwd=folder, check=True).stdout.splitlines()
    assert [line for line in again if line.endswith("has the alias champion already")]
    run_script("train", "model=tfidf", "run_name=twin", "model.C=9", cwd=folder, check=True)
    twins = run_script("compare", "promote=true", "runs=[twin]", cwd=folder, check=True).stdout.splitlines()
    [kept] = [line for line in twins if "the alias champion stays where it is" in line]
    assert kept.startswith("on validation, ")


def test_a_comparison_is_a_run_that_links_the_runs(demo, monkeypatch):
    folder, _ = demo
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("claimkind").experiment_id
    [*_, run] = client.search_runs([experiment], "tags.kind = 'comparison'")
    trained = client.search_runs([experiment], "tags.family = 'tfidf'")
    assert f"(#/experiments/{experiment}/runs/{trained[-1].info.run_id}?" in run.data.tags["mlflow.note.content"]
    assert {item.path.split("/")[1] for item in client.list_artifacts(run.info.run_id, "comparison")} == {
        "table.csv", "differences.csv", "macro_f1.png",
    }  # fmt: skip


def test_the_article_is_scored_and_shown(demo):
    folder, _ = demo
    scored = pd.read_parquet(folder / "out" / "article.parquet")
    assert len(scored) == 15
    assert set(scored["document"]) == {"article.md"}
    page = (folder / "out" / "article.html").read_text()
    assert all(text in page for text in scored["text"])


def test_the_champion_is_evaluated_by_class_source_slice_and_behaviour(demo, seeds):
    folder, _ = demo
    arguments = [f"paths.seeds_dir={seeds}"]
    shown = run_script("evaluate", *arguments, cwd=folder, check=True).stdout
    for table in ("whole", "classes", "sources", "genres", "slices", "behaviour"):
        assert f"\n{table}\n" in shown
    run_id = re.search(r"/runs/(\w{8})", shown)[1]
    compared = run_script("compare", f"runs=[{run_id}]", cwd=folder, check=True).stdout
    assert "evaluate " in compared, "an evaluation cannot be compared"
    done = run_script("evaluate", "split=train", cwd=folder)
    assert "split=train holds no evaluated sentences, expected validation or test" in done.stderr


def test_an_unknown_model_is_one_sentence(demo):
    done = run_script("score", "input=out", "output=o.csv", "model_uri=models:/claimkind@gone", cwd=demo[0])
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: model_uri=models:/claimkind@gone names no model in sqlite")
    assert "Traceback" not in done.stderr


def test_comparing_what_was_not_trained_is_one_sentence(demo):
    done = run_script("compare", "dataset=other", cwd=demo[0])
    assert done.returncode == 2
    assert "has no finished run on dataset 'other'" in done.stderr
    done = run_script("compare", "runs=[nosuch]", cwd=demo[0])
    assert "runs names 'nosuch', which is no finished run on dataset" in done.stderr


def test_training_goes_on_from_a_saved_model(demo):
    runs = run_script("compare", cwd=demo[0], check=True).stdout
    assert "minilm" in runs
    done = run_script("train", "model=tfidf", "init_from=models:/claimkind@champion", cwd=demo[0])
    assert "init_from needs a model with an encoder" in done.stderr


def test_the_champion_answers_over_http(demo):
    folder, _ = demo
    mlflow = str(Path(sys.executable).parent / "mlflow")
    uri = "models:/claimkind@champion"
    server = subprocess.Popen(
        [mlflow, "models", "serve", "-m", uri, "--env-manager", "local", "-p", "5099", "-h", "127.0.0.1"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        },
    )
    try:
        body = json.dumps(
            {"dataframe_split": {"columns": ["text"], "data": [["Rain might reach Corm soon."]]}}
        ).encode()
        request = urllib.request.Request(
            "http://127.0.0.1:5099/invocations", body, {"Content-Type": "application/json"}
        )
        answer = wait_for(request, server)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)
    (row,) = answer["predictions"]
    assert set(row) == {"label", "confidence", "p_factual", "p_speculative", "p_opinion"}


def wait_for(request, server):
    deadline = time.monotonic() + 90
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return json.load(answer)
        except OSError:
            assert time.monotonic() < deadline and server.poll() is None, server.stdout.read()
            time.sleep(0.5)


def test_nothing_is_left_behind_but_what_the_readme_names(demo):
    assert {path.name for path in demo[0].iterdir()} == {"data", "mlflow.db", "mlruns", "out"}


def test_make_clean_keeps_files_of_others(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    kept = [
        "data/README.md", "data/mine.csv", "data/export/rows.csv", "data/model/manifest.json", "seeds/a.md",
        "data/my own/train.parquet", "data/raw/train.parquet", "data/tiny/notes.txt", "outputs/scored.csv",
    ]  # fmt: skip
    built = [
        "data/tiny/train.parquet",
        "data/tiny/manifest.json",
        "data/small/manifest.json",
        "data/checkpoints/a/run_id",
        "mlflow.db",
        "mlruns/1/a",
    ]
    for name in (*kept, *built):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('{"fingerprint": "x"}' if name in built else "")
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True, capture_output=True)
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert left == sorted(["Makefile", *kept])
    assert not (tmp_path / "data" / "small").exists()
