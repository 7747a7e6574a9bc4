"""However a training ends, its run has the right status, and it can be resumed."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time

import mlflow
import pytest

from claimkind import tracking
from claimkind.errors import ClaimkindError
from tests.conftest import ROOT, run_script

START = """
import os, sys, time
from claimkind import tracking
with tracking.start_run("faults", sys.argv[1], {}) as run:
    print(run.run_id, flush=True)
    time.sleep(60)
"""


def status(run_id):
    return mlflow.get_run(run_id).info.status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_a_run_as_killed(number, in_workspace):
    process = subprocess.Popen(
        [sys.executable, "-c", START, "signal"],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # nohup and `&` would have it ignored
    )
    run_id = process.stdout.readline().strip()
    process.send_signal(number)
    process.wait(timeout=30)
    assert process.returncode != 0
    assert status(run_id) == "KILLED"


def test_a_signal_while_a_run_starts_ends_it_as_killed(in_workspace):
    code = """
import os, signal, mlflow
from claimkind import tracking
start = mlflow.start_run
def start_and_get_a_signal(*args, **kwargs):
    run = start(*args, **kwargs)
    print(run.info.run_id, flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
    return run
mlflow.start_run = start_and_get_a_signal
with tracking.start_run("faults", "early", {}):
    print("it went on")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    (run_id,) = done.stdout.split()
    assert status(run_id) == "KILLED"


def test_a_run_id_from_outside_is_ignored(in_workspace, monkeypatch, caplog):
    with tracking.start_run("faults", "finished", {}) as finished:
        pass
    before = mlflow.get_run(finished.run_id).info
    for outside in (finished.run_id, "0" * 32):
        monkeypatch.setenv("MLFLOW_RUN_ID", outside)
        with tracking.start_run("faults", "new", {"kind": "new"}) as run:
            pass
        assert run.run_id not in (finished.run_id, outside)
        assert f"MLFLOW_RUN_ID={outside} is ignored" in caplog.text
    after = mlflow.get_run(finished.run_id)
    assert (after.info.run_name, after.info.end_time) == (before.run_name, before.end_time)
    assert "kind" not in after.data.tags


def test_an_exception_ends_a_run_as_failed(in_workspace):
    with pytest.raises(ZeroDivisionError), tracking.start_run("faults", "exception", {}) as run:
        run.log_metrics({"a": 1 / 0})
    assert status(run.run_id) == "FAILED"
    assert mlflow.active_run() is None


@pytest.mark.slow
def test_processes_that_start_together_on_a_fresh_store_do_not_crash(tmp_path):
    # MLflow creates the tables of a new database without a lock; we lock around it.
    code = "import sys; from claimkind import tracking\nwith tracking.start_run('e', sys.argv[1], {}): pass"
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(index)], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        for index in range(3)
    ]
    errors = [process.communicate(timeout=120)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], errors


@pytest.mark.slow
def test_a_killed_training_is_resumed_in_the_same_run(in_workspace, tiny_encoder):
    arguments = [
        "dataset=tiny", "model=minilm", f"model.encoder={tiny_encoder}", "model.sha256=null",
        "model.revision=null", "model.epochs=200", "model.patience=200", "experiment_name=resume",
    ]  # fmt: skip
    script = str(ROOT / "scripts" / "train.py")
    process = subprocess.Popen([sys.executable, script, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    checkpoints = in_workspace / "data" / "checkpoints"
    deadline = time.monotonic() + 120
    while not list(checkpoints.glob("*/checkpoint-*/trainer_state.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    (killed,) = [path.read_text() for path in checkpoints.glob("*/run_id")]
    run_script("train", *arguments, "resume=true", cwd=in_workspace, check=True)
    assert status(killed) == "FINISHED"
    assert list(checkpoints.iterdir()) == []


@pytest.mark.slow
def test_a_killed_search_is_resumed_with_its_finished_trials(in_workspace, tmp_path):
    storage = f"sqlite:///{tmp_path}/studies.db"
    arguments = ["dataset=tiny", "search=tfidf", "trials=8", f"storage={storage}", "heartbeat_seconds=1"]
    script = str(ROOT / "scripts" / "tune.py")
    process = subprocess.Popen([sys.executable, script, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    before = finished_trials(storage, at_least=2)
    process.kill()
    process.wait()
    run_script("tune", *arguments, cwd=in_workspace, check=True)
    after = finished_trials(storage, at_least=8)
    assert before.items() <= after.items()
    assert len(after) == 8


def finished_trials(storage, at_least):
    """The score of each finished trial, by number, once there are at least `at_least`."""
    query = "select number, value from trials join trial_values using (trial_id) where state = 'COMPLETE'"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        # By SQL: Optuna would create the tables at the same time as the search does.
        with contextlib.closing(sqlite3.connect(storage.removeprefix("sqlite:///"))) as database:
            try:
                found = dict(database.execute(query).fetchall())
            except sqlite3.OperationalError:  # no tables yet
                found = {}
        if len(found) >= at_least:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not {at_least} trials after two minutes")


@pytest.mark.slow
def test_a_grid_in_several_processes_runs_on_a_fresh_store(in_workspace, tmp_path):
    arguments = ["dataset=tiny", "model=tfidf", f"paths.data_dir={in_workspace / 'data'}", "seed=0,1,2"]
    done = run_script("train", "-m", "hydra/launcher=joblib", *arguments, cwd=tmp_path, check=True)
    database = f"sqlite:///{tmp_path}/mlflow.db"
    runs = mlflow.MlflowClient(database).search_runs(["1"])
    assert [run.info.status for run in runs] == ["FINISHED"] * 3, done.stderr
    assert sorted(run.data.params["seed"] for run in runs) == ["0", "1", "2"]


def test_resume_without_an_unfinished_training_is_refused(in_workspace):
    done = run_script("train", "dataset=tiny", "model=tfidf", "resume=true", cwd=in_workspace)
    assert done.returncode == 2
    assert "holds no unfinished training like this" in done.stderr


def test_a_store_that_does_not_answer_is_one_sentence(in_workspace):
    environment = {**os.environ, "MLFLOW_TRACKING_URI": "sqlite:////proc/none/mlflow.db"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "train.py"), "dataset=tiny", "model=tfidf"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 2
    assert "error: the MLflow store sqlite:////proc/none/mlflow.db does not answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_deleted_run_cannot_be_resumed(in_workspace):
    with tracking.start_run("faults", "deleted", {}) as run:
        pass
    mlflow.delete_run(run.run_id)
    with (
        pytest.raises(
            ClaimkindError, match=f"run {run.run_id}, which is to be resumed, is not in sqlite.* or was deleted"
        ),
        tracking.start_run("faults", "deleted", {}, run.run_id),
    ):
        pass


def test_runs_are_logged_where_git_is_not_installed(in_workspace, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with tracking.start_run("faults", "without git", {}) as run:
        pass
    assert mlflow.get_run(run.run_id).data.tags["git_commit"] == "unknown"


def test_a_run_that_a_killed_process_left_running_is_ended(in_workspace):
    with tracking.start_run("faults", "search", {}) as parent:
        pass
    code = START.replace("{}", repr({"mlflow.parentRunId": parent.run_id}))
    process = subprocess.Popen([sys.executable, "-c", code, "trial-3"], stdout=subprocess.PIPE, text=True)
    run_id = process.stdout.readline().strip()
    process.kill()
    process.wait(timeout=30)
    assert status(run_id) == "RUNNING"
    tracking.end_killed_children(parent.run_id, "trial-3")
    assert status(run_id) == "KILLED"
    tracking.end_killed_run(parent.run_id)
    assert status(parent.run_id) == "FINISHED"


def test_a_misspelt_experiment_is_refused_and_not_created(in_workspace):
    tracking.prepare_store("faults")
    with pytest.raises(ClaimkindError, match=r"has no experiment 'fualts', expected one of .*faults"):
        tracking.find_runs("fualts", "tags.dataset = 'tiny'")
    assert mlflow.get_experiment_by_name("fualts") is None


def test_a_model_with_the_alias_that_belongs_to_no_run_is_refused(in_workspace):
    client = mlflow.MlflowClient()
    client.create_registered_model("strange")
    client.create_model_version("strange", source="file:///nowhere")
    client.set_registered_model_alias("strange", "champion", 1)
    with pytest.raises(ClaimkindError, match="strange@champion is of no run"):
        tracking.run_of_alias("strange", "champion")
    assert tracking.run_of_alias("strange", "other") is None
    assert tracking.run_of_alias("nosuch", "champion") is None
