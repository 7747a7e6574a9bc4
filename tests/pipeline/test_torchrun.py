"""One training in several processes."""

import subprocess
import sys

import mlflow
import pytest

from tests.conftest import ROOT, run_script

TRAIN = ["dataset=tiny", "model.epochs=3", "model.learning_rate=1e-3", "model.batch_size=16"]


def torchrun(folder, *arguments):
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=29544",
        str(ROOT / "scripts" / "train.py"), *arguments,
    ]  # fmt: skip
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_two_processes_train_one_model_in_one_run(in_workspace, tiny_encoder, monkeypatch):
    shared = [*TRAIN, "model=minilm", f"model.encoder={tiny_encoder}"]
    done = torchrun(in_workspace, *shared, "run_name=two", "experiment_name=torchrun")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("run two") == 1
    run_script("train", *shared, "run_name=one", "experiment_name=torchrun", cwd=in_workspace, check=True)
    # Not by mlflow.set_tracking_uri, which would stay set for the tests that follow.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{in_workspace / 'mlflow.db'}")
    runs = mlflow.search_runs(experiment_names=["torchrun"]).set_index("tags.mlflow.runName")
    assert sorted(runs.index) == ["one", "two"]
    assert set(runs["status"]) == {"FINISHED"}
    (metric,) = [name for name in runs if name in ("metrics.test/macro_f1", "metrics.test_macro_f1")]
    assert abs(runs.loc["two", metric] - runs.loc["one", metric]) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model=tfidf"], "is no transformer: start it with python"),
        (["model=minilm", "model.batch_size=15"], "model.batch_size=15 cannot be divided among 2 processes"),
    ],
)
def test_settings_that_several_processes_cannot_share_are_refused(arguments, message, in_workspace, tiny_encoder):
    encoder = [f"model.encoder={tiny_encoder}"] if "model=minilm" in arguments else []
    done = torchrun(in_workspace, "dataset=tiny", *arguments, *encoder)
    assert done.returncode != 0
    assert message in done.stderr
