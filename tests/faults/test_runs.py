"""However a training ends, its run has the right status, and it can be resumed."""

import contextlib
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from claimkind import tracking
from claimkind.errors import ClaimkindError
from claimkind.labels import one_hot
from claimkind.manifest import sha256_file
from claimkind.models.hashing import HashingClassifier
from claimkind.tracking import metric_log
from tests.conftest import ROOT, run_script

# How many trainings are killed; KILLS=10 pytest -m stress -k killed_at_random takes some minutes.
KILLS = int(os.environ.get("KILLS", "2"))

START = """
import os, sys, time
from claimkind import tracking
with tracking.start_run("faults", sys.argv[1], {}) as run:
    print(run.run_id, flush=True)
    time.sleep(600)
"""


def status(run_id):
    return mlflow.get_run(run_id).info.status


@pytest.mark.slow
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


@pytest.mark.slow
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


def end_of(code, *arguments):
    """Run code in a process of its own that logs to the store here."""
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_signal_that_a_destructor_swallows_is_acted_on_at_the_next_metric(in_workspace):
    code = """
import os, signal
from claimkind import tracking
class Swallows:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000): pass
with tracking.start_run("faults", "swallowed", {}) as run:
    print(run.run_id, flush=True)
    Swallows()
    print("went on", flush=True)
    run.log_metrics({"a": 1}, 1)
    print("too far", flush=True)
"""
    done = end_of(code)
    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    run_id, *printed = done.stdout.splitlines()
    assert printed == ["went on"]
    assert status(run_id) == "KILLED"
    assert mlflow.get_run(run_id).data.metrics == {}


def test_a_signal_that_was_swallowed_last_ends_the_run_as_killed(in_workspace):
    code = """
import os, signal, contextlib
from claimkind import tracking
with tracking.start_run("faults", "swallowed", {}) as run:
    print(run.run_id, flush=True)
    with contextlib.suppress(SystemExit):
        os.kill(os.getpid(), signal.SIGTERM)
"""
    done = end_of(code)
    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    assert status(done.stdout.strip()) == "KILLED"


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGINT, -signal.SIGINT)])
def test_a_signal_within_a_call_of_the_store_waits_for_its_end(number, code, in_workspace):
    script = """
import os, sys, mlflow
from claimkind import tracking
log_text = mlflow.log_text
def log_amid_a_signal(*args):
    os.kill(os.getpid(), int(sys.argv[1]))
    log_text(*args)
mlflow.log_text = log_amid_a_signal
with tracking.start_run("faults", "within", {}) as run:
    print(run.run_id, flush=True)
    run.log_text("whole", "notes.txt")
    print("too far", flush=True)
"""
    done = end_of(script, str(int(number)))
    assert done.returncode == code, done.stderr
    run_id = done.stdout.strip()
    assert status(run_id) == "KILLED"
    assert mlflow.artifacts.load_text(f"{mlflow.get_run(run_id).info.artifact_uri}/notes.txt") == "whole"


def test_a_second_signal_is_acted_on_at_once(in_workspace):
    script = """
import os, signal, time, mlflow
from claimkind import tracking
def hangs(*args):
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
mlflow.log_text = hangs
with tracking.start_run("faults", "twice", {}) as run:
    print(run.run_id, flush=True)
    run.log_text("a", "notes.txt")
"""
    done = end_of(script)
    assert done.returncode == -signal.SIGINT, done.stderr
    assert status(done.stdout.strip()) == "KILLED"


def left_running(in_workspace, **tags):
    """The id of a run whose process was killed, with some of its tags replaced."""
    code = START.replace("run.run_id, flush=True", "run.run_id, flush=True); run.describe('My note.'); print('ready'")
    process = subprocess.Popen([sys.executable, "-u", "-c", code, "killed"], stdout=subprocess.PIPE, text=True)
    run_id = process.stdout.readline().strip()
    assert process.stdout.readline() == "ready\n"
    for key, value in tags.items():
        mlflow.MlflowClient().set_tag(run_id, key, value)
    return process, run_id


READS = "from claimkind import tracking; tracking.find_runs('faults', 'tags.dataset = \"none\"')"
WRITES = "from claimkind import tracking; tracking.prepare_store('another')"


@pytest.mark.slow
@pytest.mark.parametrize("next_script", [READS, WRITES])
def test_the_run_of_a_killed_process_is_ended_by_the_next_script(next_script, in_workspace):
    process, run_id = left_running(in_workspace)
    end_of(next_script)
    assert status(run_id) == "RUNNING"  # it is alive
    process.kill()
    process.wait()
    done = end_of(next_script)
    assert done.returncode == 0, done.stderr
    assert status(run_id) == "KILLED"
    note = mlflow.get_run(run_id).data.tags["mlflow.note.content"]
    assert note.startswith(f"My note.\n\nIts process {process.pid} on ")
    with tracking.start_run("faults", "", {}, run_id):
        assert mlflow.get_run(run_id).data.tags["mlflow.note.content"] == "My note."
        assert mlflow.get_run(run_id).data.tags["process_id"] == str(os.getpid())
    assert status(run_id) == "FINISHED"


@pytest.mark.slow
def test_runs_of_other_machines_are_not_ended_and_a_reused_process_id_does_not_count(in_workspace):
    process, elsewhere = left_running(in_workspace, process_host="another-machine pid:[1]")
    process.kill()
    process.wait()
    again, reused = left_running(in_workspace, process_started="1000.00")
    end_of(WRITES)
    assert (status(elsewhere), status(reused)) == ("RUNNING", "KILLED")
    again.kill()
    again.wait()
    tracking.end_killed_run(elsewhere)


def history(run_id, key):
    return [(point.step, point.value) for point in mlflow.MlflowClient().get_metric_history(run_id, key)]


def test_a_resumed_run_logs_each_step_once_and_its_model_once(in_workspace):
    fitted = HashingClassifier().fit(["Rain.", "Maybe.", "Dull."], one_hot(["factual", "speculative", "opinion"]))
    with contextlib.suppress(KeyboardInterrupt), tracking.start_run("faults", "resumed", {}) as run:
        for step in (10, 20, 30):
            run.log_metrics({"loss": 2 / step}, step)
        model_uri = run.log_model(fitted)
        run.log_metrics({"test_macro_f1": 0.5})
        raise KeyboardInterrupt
    with tracking.start_run("faults", "resumed", {}, run.run_id) as again:
        for step in (20, 30, 40):
            again.log_metrics({"loss": 2 / step}, step)
        assert again.log_model(fitted) == model_uri
        again.log_metrics({"test_macro_f1": 0.5})
    assert history(run.run_id, "loss") == [(step, pytest.approx(2 / step, rel=1e-3)) for step in (10, 20, 30, 40)]
    assert history(run.run_id, "test_macro_f1") == [(0, 0.5)]
    other = HashingClassifier().fit(["Rain.", "May.", "Sad."], one_hot(["factual", "speculative", "opinion"]))
    with tracking.start_run("faults", "resumed", {}, run.run_id) as changed:
        assert changed.log_model(other) != model_uri


@pytest.fixture
def broken_store(in_workspace, monkeypatch):
    """A function that makes the store answer or not; the metrics are not tried again for an hour, or at once."""

    def answers(*, yes, pause=3600):
        def fail(*args, **kwargs):
            raise MlflowException("API request to http://store failed")

        monkeypatch.setattr(metric_log, "_PAUSE_SECONDS", pause)
        monkeypatch.setattr(metric_log, "_PAUSE_FACTOR", 0)
        for name in ("log_batch", "set_terminated"):
            monkeypatch.setattr(MlflowClient, name, ORIGINAL[name] if yes else fail)

    yield answers
    answers(yes=True)


ORIGINAL = {name: vars(MlflowClient)[name] for name in ("log_batch", "set_terminated")}


def test_metrics_are_kept_while_the_store_does_not_answer_and_sent_when_it_does(broken_store, in_workspace, caplog):
    caplog.set_level("INFO")
    with tracking.start_run("faults", "away", {}) as run:
        run.log_metrics({"loss": 3.0}, 10)
        broken_store(yes=False, pause=0)
        run.log_metrics({"loss": 2.0}, 20)
        run.log_metrics({"loss": 1.0, "rate": float("nan")}, 30)
        assert "does not answer after 0 s (API request to http://store failed): the metrics are kept in" in caplog.text
        assert caplog.text.count("does not answer") == 1
        assert len(list(in_workspace.glob("mlflow-unsent/*.jsonl"))) == 1
        broken_store(yes=True)
        run.log_metrics({"loss": 0.5}, 40)
        assert "the MLflow store answers again: 3 metrics of the run were sent" in caplog.text
    assert history(run.run_id, "loss") == [(10, 3.0), (20, 2.0), (30, 1.0), (40, 0.5)]
    assert not (in_workspace / "mlflow-unsent").exists()
    assert status(run.run_id) == "FINISHED"


def test_a_store_that_is_away_is_not_tried_at_each_step(broken_store, in_workspace, monkeypatch):
    with tracking.start_run("faults", "away", {}) as run:
        broken_store(yes=False)
        run.log_metrics({"loss": 2.0}, 1)
        broken_store(yes=True)
        run.log_metrics({"loss": 2.0}, 2)
        assert history(run.run_id, "loss") == []
    assert len(history(run.run_id, "loss")) == 2  # at its end


def test_metrics_and_the_status_that_were_not_sent_are_sent_by_the_next_script(broken_store, in_workspace):
    with contextlib.suppress(ZeroDivisionError), tracking.start_run("faults", "away", {}) as run:
        broken_store(yes=False)
        run.log_metrics({"loss": 2.0}, 1)
        raise ZeroDivisionError
    broken_store(yes=True)
    assert status(run.run_id) == "RUNNING"
    (kept,) = in_workspace.glob("mlflow-unsent/*.jsonl")
    with kept.open("a") as stream:
        stream.write('{"key": "cut of')  # by a kill
    content = kept.read_text()
    tracking.prepare_store("faults")
    kept.parent.mkdir()
    kept.write_text(content)  # as if the script had been killed before it deleted the file
    tracking.prepare_store("faults")
    assert history(run.run_id, "loss") == [(1, 2.0)]
    assert status(run.run_id) == "FAILED"
    assert not kept.parent.exists()


def test_a_model_that_cannot_be_stored_is_one_sentence(broken_store, in_workspace):
    fitted = HashingClassifier().fit(["Rain.", "Maybe.", "Dull."], one_hot(["factual", "speculative", "opinion"]))
    with (
        pytest.raises(ClaimkindError, match=r"the MLflow store .* does not answer \(API request to"),
        tracking.start_run("faults", "away", {}) as run,
    ):
        broken_store(yes=False)
        run.log_model(fitted)
    broken_store(yes=True)
    tracking.prepare_store("faults")
    assert status(run.run_id) == "FAILED"


def test_a_run_that_is_deleted_while_it_is_open_is_one_sentence(in_workspace):
    with (
        pytest.raises(ClaimkindError, match=r"does not take the results \(.*\): if the run was deleted, start over"),
        tracking.start_run("faults", "deleted", {}) as run,
    ):
        mlflow.delete_run(run.run_id)
        run.log_metrics({"loss": 1.0})
    assert not (in_workspace / "mlflow-unsent").exists()


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
    # MLflow creates the tables of a new database without a lock; we lock around it. The checkpoints are left over from
    # another store.
    code = """
import sys
from pathlib import Path
from claimkind import tracking
from claimkind.training.checkpoints import checkpoint_folder
with checkpoint_folder(Path(sys.argv[1]), resume=False), tracking.start_run("e", sys.argv[1], {}):
    pass
"""
    for index in range(3):
        (tmp_path / str(index)).mkdir()
        (tmp_path / str(index) / "run_id").write_text("0" * 32)
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(index)], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        for index in range(3)
    ]
    errors = [process.communicate(timeout=120)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], errors


def tiny_training(encoder, experiment, **more):
    settings = {
        "dataset.name": "tiny", "model": "minilm", "model.encoder": encoder, "model.sha256": "null",
        "model.revision": "null", "model.epochs": 50, "model.patience": 50, "experiment_name": experiment, **more,
    }  # fmt: skip
    return [f"{key}={value}" for key, value in settings.items()]


def started(arguments, **environment):
    """A training in a process of its own."""
    script = str(ROOT / "scripts" / "train.py")
    return subprocess.Popen(
        [sys.executable, script, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **environment},
    )  # fmt: skip


def wait_for(pattern, folder):
    """The first file of a pattern, once there is one."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        found = [path for path in folder.glob(pattern) if path.stat().st_size]
        if found:
            return found[0]
        time.sleep(0.02)
    raise AssertionError(f"no {pattern} after three minutes")


def wait_for_another(checkpoints, seen):
    """Wait until there is a checkpoint that was not seen before."""
    deadline = time.monotonic() + 180
    while not set(checkpoints.glob("*/checkpoint-*")) - seen:
        assert time.monotonic() < deadline, "no further checkpoint after three minutes"
        time.sleep(0.005)


def outcome(run_id):
    """Weights of the model, and all metrics of a run by step except those of the time and the machine."""
    run = mlflow.get_run(run_id)
    weights = tracking.fetch_folder(run.data.tags["model_uri"]) / "model.safetensors"
    kept = [key for key in run.data.metrics if key != "training/seconds" and not key.startswith("system/")]
    return sha256_file(weights), {key: history(run_id, key) for key in kept}


@pytest.mark.stress
def test_trainings_that_are_killed_at_random_and_resumed_end_as_if_they_had_not_been(in_workspace, tiny_encoder):
    checkpoints = in_workspace / "data" / "checkpoints"
    process = started(tiny_training(tiny_encoder, "whole"))
    run_id = wait_for("*/run_id", checkpoints).read_text()
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    expected = outcome(run_id)
    for number in range(KILLS):
        arguments = tiny_training(tiny_encoder, f"killed-{number}")
        process = started(arguments)
        run_id = wait_for("*/run_id", checkpoints).read_text()
        for _ in range(random.randrange(40)):  # noqa: S311 - of 50 epochs, each of which ends with a checkpoint
            seen = set(checkpoints.glob("*/checkpoint-*"))
            wait_for_another(checkpoints, seen)
        time.sleep(random.uniform(0, 0.2))  # noqa: S311
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
        run_script("train", *arguments, "resume=true", cwd=in_workspace, check=True)
        assert status(run_id) == "FINISHED"
        weights, metrics = outcome(run_id)
        assert weights == expected[0]
        assert metrics == expected[1]
        assert len(mlflow.get_run(run_id).outputs.model_outputs) == 1
        assert list(checkpoints.iterdir()) == []


@pytest.fixture
def server(tmp_path):
    """Functions that start and kill a tracking server with a store of its own, and its address."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    running: list[subprocess.Popen] = []

    def start():
        command = [sys.executable, "-m", "mlflow", "server", "--port", port, "--workers", "1"]
        command += ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db", "--artifacts-destination", str(tmp_path)]
        running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        start_new_session=True, cwd=tmp_path))  # fmt: skip
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health"):
                return
            time.sleep(0.2)
        raise AssertionError("the server did not start in two minutes")

    def kill():
        while running:
            process = running.pop()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    start()
    yield f"http://127.0.0.1:{port}", start, kill
    kill()


@pytest.mark.stress
# The server needs some seconds to start, so the first training must be long enough.
@pytest.mark.parametrize(("back", "epochs"), [("during the training", 500), ("after it", 50)])
def test_a_server_that_dies_in_the_middle_of_a_training_loses_nothing(back, epochs, server, in_workspace, tiny_encoder):
    address, start, kill = server
    environment = {"MLFLOW_TRACKING_URI": address, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
    arguments = tiny_training(tiny_encoder, "away", **{"model.epochs": epochs, "model.patience": epochs})
    process = started(arguments, **environment)
    checkpoints = in_workspace / "data" / "checkpoints"
    wait_for("*/checkpoint-*/trainer_state.json", checkpoints)
    run_id = wait_for("*/run_id", checkpoints).read_text()
    kill()
    wait_for(f"mlflow-unsent/*-{run_id}.jsonl", in_workspace)
    if back == "during the training":
        start()
    _, errors = process.communicate()
    assert errors.count("the training goes on") == 1, errors
    assert "Traceback" not in errors, errors
    if back == "after it":
        assert process.returncode == 2, errors
        assert f"error: the MLflow store {address} does not answer" in errors
        start()
        resumed = started([*arguments, "resume=true"], **environment)
        _, errors = resumed.communicate()
        assert resumed.returncode == 0, errors
    else:
        assert process.returncode == 0, errors
    client = MlflowClient(address)
    assert client.get_run(run_id).info.status == "FINISHED"
    steps = [point.step for point in client.get_metric_history(run_id, "training/loss")]
    assert sorted(steps) == sorted(set(steps))
    assert set(range(10, max(steps), 10)) <= set(steps)
    assert not list(in_workspace.glob("mlflow-unsent/*"))


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_run_that_a_killed_process_left_running_is_ended(in_workspace):
    with tracking.start_run("faults", "search", {}) as parent:
        pass
    code = START.replace("{}", repr({"mlflow.parentRunId": parent.run_id}))
    process = subprocess.Popen([sys.executable, "-c", code, "trial 3"], stdout=subprocess.PIPE, text=True)
    run_id = process.stdout.readline().strip()
    process.kill()
    process.wait(timeout=30)
    assert status(run_id) == "RUNNING"
    tracking.end_killed_children(parent.run_id, "trial 3")
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
