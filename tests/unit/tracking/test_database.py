"""A store that was moved or copied, is read only, or is not there."""

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from claimkind import models, tracking
from claimkind.errors import ClaimkindError
from claimkind.labels import one_hot
from claimkind.models.hashing import HashingClassifier
from claimkind.tracking import database

TEXTS = ["Rain fell.", "It may rain.", "Rain is dull."]
TABLE = pd.DataFrame({"id": ["a"]})


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A project with a run, a table and a registered model, in a folder whose name has a blank."""
    folder = tmp_path_factory.mktemp("stores") / "first project"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        fitted = HashingClassifier().fit(TEXTS, one_hot(["factual", "speculative", "opinion"]))
        with tracking.start_run("e", "first", {}) as run:
            run.log_table(TABLE, "predictions/test.parquet")
            run.log_text('{"label": 1}', tracking.REFERENCE)
            (folder / "model_uri").write_text(run.log_model(fitted))
        tracking.register(run.run_id, "m", "champion")
        (folder / "run_id").write_text(run.run_id)
    return folder


@pytest.fixture
def project(original, tmp_path, monkeypatch):
    """A copy of the project that its store does not know to be one, with the paths as if it were the original."""
    shutil.copytree(original, tmp_path / "project")
    database._replace_paths(tmp_path / "project" / "mlflow.db", f"{original}/", f"{tmp_path / 'project'}/")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "project"


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def paths_in(folder: Path) -> list[str]:
    query = "select artifact_location from experiments union all select artifact_uri from runs union all "
    query += "select artifact_location from logged_models union all select storage_location from model_versions"
    rows = sqlite3.connect(folder / "mlflow.db").execute(query)
    return [path for (path,) in rows]


def test_a_copy_reads_and_writes_its_own_artifacts(project, monkeypatch, caplog):
    caplog.set_level("INFO")
    shutil.copytree(project, project.with_name("copy"))
    before = content(project)
    monkeypatch.chdir(project.with_name("copy"))
    assert tracking.fetch_folder("models:/m@champion").is_relative_to(Path.cwd())
    with tracking.start_run("e", "second", {}) as run:
        run.log_text("x", "notes.txt")
    assert content(project) == before
    assert (Path.cwd() / "mlruns" / "1" / run.run_id / "artifacts" / "notes.txt").exists()
    assert all(path.startswith(f"{Path.cwd()}/mlruns/") for path in paths_in(Path.cwd()))
    here = Path.cwd()
    assert [message for message in caplog.messages if "was moved or copied from" in message] == [
        f"{here}/mlflow.db was moved or copied from {project}: its artifacts are those in {here}/mlruns/ now"
    ]


def test_a_moved_project_is_read_where_it_is(project, monkeypatch):
    run_id, model_uri = (project / "run_id").read_text(), (project / "model_uri").read_text()
    moved = project.rename(project.with_name("moved"))
    monkeypatch.chdir(moved)
    for uri in ("models:/m@champion", "models:/m/1", model_uri):
        assert tracking.fetch_folder(uri).is_relative_to(moved)
        assert tracking.origin_of(uri).model_uri == model_uri
        assert tracking.fetch_reference(uri) == {"label": 1}
    assert tracking.fetch_table(run_id, "predictions/test.parquet").equals(TABLE)
    # What MLflow itself does, in its UI too.
    assert Path(mlflow.artifacts.download_artifacts(f"runs:/{run_id}/predictions/test.parquet")).exists()
    assert not project.exists()


def test_a_copied_database_without_its_artifacts_does_not_write_into_the_original(project, monkeypatch):
    project.with_name("copy").mkdir()
    shutil.copy(project / "mlflow.db", project.with_name("copy"))
    before = content(project)
    monkeypatch.chdir(project.with_name("copy"))
    with tracking.start_run("e", "second", {}) as run:
        run.log_text("x", "notes.txt")
    assert content(project) == before


def test_a_copy_from_a_folder_without_permission_uses_its_own_artifacts(project, monkeypatch):
    shutil.copytree(project, project.with_name("copy"))
    monkeypatch.chdir(project.with_name("copy"))
    exists = Path.exists

    def exists_if_allowed(path):
        if path == project:
            raise PermissionError(13, "Permission denied", str(path))
        return exists(path)

    monkeypatch.setattr(Path, "exists", exists_if_allowed)
    assert tracking.fetch_folder("models:/m@champion").is_relative_to(Path.cwd())


def test_artifacts_that_are_elsewhere_on_purpose_stay_there(project, tmp_path, monkeypatch):
    # The database is in another folder than that from which scripts run, which has a database of its own too.
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{shared}/mlflow.db")
    for name in ("first", "second"):
        with tracking.start_run("another", name, {}) as run:
            run.log_text("x", "notes.txt")
    assert all(path.startswith(f"{project}/mlruns/") for path in paths_in(shared))
    assert len(list(project.glob("mlruns/1/*/artifacts/notes.txt"))) == 2


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare, to mount a folder read only")
@pytest.mark.parametrize("name", ["project", "moved"])
def test_a_read_only_store_can_be_read(name, project):
    folder = project.rename(project.with_name(name))
    code = (
        "from claimkind import tracking; print(tracking.fetch_folder('models:/m@champion'));"
        "print(tracking.fetch_reference('models:/m@champion'), tracking.origin_of('models:/m@champion').model_uri)"
    )
    mounted = f"mount --bind '{folder}' '{folder}' && mount -o remount,ro,bind '{folder}' && cd '{folder}' && "
    done = subprocess.run(
        ["unshare", "-rm", "bash", "-c", f'{mounted}"{sys.executable}" -c "{code}"'],
        capture_output=True,
        text=True,
        check=False,
    )
    if "mount" in done.stderr or "unshare" in done.stderr:
        pytest.skip("this machine lets nobody mount folders")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith(str(folder))
    assert done.stdout.splitlines()[1] == f"{{'label': 1}} {(folder / 'model_uri').read_text()}"


def test_reading_writes_nothing(project, monkeypatch):
    monkeypatch.chdir(project)
    before = content(project)
    models.load(tracking.fetch_folder("models:/m@champion"))
    tracking.fetch_table((project / "run_id").read_text(), "predictions/test.parquet")
    tracking.find_runs("e", "tags.mlflow.runName = 'first'")
    assert content(project) == before


def test_where_there_is_no_store_none_is_made_by_reading(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for read in (
        lambda: tracking.fetch_folder("models:/m@champion"),
        lambda: tracking.origin_of("models:/m-1"),
        lambda: tracking.find_runs("e", "tags.dataset = 'd'"),
    ):
        with pytest.raises(ClaimkindError, match=f"there is no MLflow store {tmp_path}/mlflow.db, expected"):
            read()
    assert tracking.run_exists("abc") is False
    tracking.end_killed_run("abc")
    assert list(tmp_path.iterdir()) == []


def test_a_database_is_made_in_one_step(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".mlflow.db.part").write_text("half made by a process that was killed")

    code = """
import os, mlflow.store.db.utils
from claimkind import tracking
def interrupted(engine):
    assert not os.path.exists("mlflow.db")
    raise KeyboardInterrupt
mlflow.store.db.utils._initialize_tables = interrupted
tracking.prepare_store("e")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == "KeyboardInterrupt"
    assert list(tmp_path.iterdir()) == []
    tracking.prepare_store("e")
    assert mlflow.get_experiment_by_name("e").artifact_location == f"{tmp_path}/mlruns/1"
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


def test_a_half_made_database_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    connection = sqlite3.connect(tmp_path / "mlflow.db")
    connection.execute("create table experiments (experiment_id integer, name text, artifact_location text)")
    connection.execute("create table runs (run_uuid text, name text)")
    connection.commit()
    for use in (lambda: tracking.prepare_store("e"), lambda: tracking.find_runs("e", "tags.a = 'b'")):
        with pytest.raises(ClaimkindError, match=r"mlflow\.db is no database of MLflow, or was left half made"):
            use()
