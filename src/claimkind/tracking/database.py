"""The SQLite database of a local MLflow store: made in one step, and followed where its folder was moved or copied.

MLflow keeps the artifacts of a new experiment in `mlruns/` of the working folder, as absolute paths in the database. In
a moved project these lead nowhere, and in a copy to the files of the original.
"""

import contextlib
import logging
import os
import re
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

import mlflow
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from claimkind.manifest import atomic_write

_LOGGER = logging.getLogger(__name__)
_ARTIFACTS = "mlruns"
# By table the columns with paths of artifacts.
_PATHS = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}


def database_path() -> Path | None:
    """The database of the current store, whether it exists or not; None for a store that is no SQLite file."""
    try:
        url = make_url(mlflow.get_tracking_uri())
    except ArgumentError:
        return None
    if not url.drivername.startswith("sqlite") or not url.database or url.database == ":memory:":
        return None
    return Path(url.database).resolve()


def is_read_only() -> bool:
    """Whether the database of the current store is a file that cannot be written."""
    path = database_path()
    return path is not None and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def make_database(path: Path) -> None:
    """Make a new database in one step: from one that was left half made, MLflow cannot go on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as draft:
        draft.unlink(missing_ok=True)  # of a process that was killed
        mlflow.MlflowClient(f"sqlite:///{quote(str(draft))}").search_experiments(max_results=1)


def follow_move(path: Path) -> None:
    """Replace the paths of artifacts in a database whose folder was moved or copied by those in its folder now.

    Only the database at `path` is written. Where it cannot be written, `located` leads to the files all the same.
    """
    for earlier in _earlier_folders(path):
        old, new = (f"{folder}/{_ARTIFACTS}/" for folder in (earlier, path.parent))
        try:
            _replace_paths(path, old, new)
        except sqlite3.OperationalError as error:
            _LOGGER.info("%s was moved or copied from %s, and stays as it is (%s)", path, earlier, error)
        else:
            _LOGGER.info("%s was moved or copied from %s: its artifacts are those in %s now", path, earlier, new)


def located(artifact: Path) -> Path:
    """Where a file or folder of the store is now, if it was moved or copied with the store."""
    database = database_path()
    if database is None or not database.is_file() or artifact.is_relative_to(database.parent):
        return artifact
    for earlier in _earlier_folders(database):
        if artifact.is_relative_to(earlier / _ARTIFACTS):
            return database.parent / artifact.relative_to(earlier)
    return artifact


def _earlier_folders(database: Path) -> list[Path]:
    """The folders that the database has been in before, by the paths of the artifacts in it."""
    rows = _query(database, "select artifact_location, experiment_id from experiments")
    found = [re.fullmatch(rf"(/.*)/{_ARTIFACTS}/{number}", str(location)) for location, number in rows]
    folders = dict.fromkeys(Path(match[1]) for match in found if match)
    return [folder for folder in folders if _was_moved(database, folder)]


def _was_moved(database: Path, earlier: Path) -> bool:
    """Whether the artifacts in an earlier folder belong to the database here.

    Without a move they are elsewhere too, where `MLFLOW_TRACKING_URI` names a database that is not in the working
    folder: then they are not here, and no other database knows them.
    """
    if earlier.resolve() == database.parent:
        return False
    if not _can_be_seen(earlier):
        return True
    old = f"{earlier}/{_ARTIFACTS}/"
    query = "select run_uuid, artifact_uri from runs where substr(artifact_uri, 1, ?) = ?"
    runs = dict(_query(database, query, len(old), old))
    if any((database.parent / Path(uri).relative_to(earlier)).exists() for uri in runs.values()):
        return True
    others = {run_id for (run_id,) in _query(earlier / database.name, "select run_uuid from runs")}
    return not others.isdisjoint(runs)


def _can_be_seen(folder: Path) -> bool:
    try:
        return folder.exists()
    except PermissionError:  # for example in the home of another user
        return False


def _query(database: Path, query: str, *values: object) -> list[tuple[Any, ...]]:
    """The answer of a database; empty where it cannot be read or is none of MLflow."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True)) as connection:
            return connection.execute(query, values).fetchall()
    except sqlite3.Error:
        return []


def _replace_paths(database: Path, old: str, new: str) -> None:
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        for table, columns in _PATHS.items():
            for column in columns:
                connection.execute(
                    f"update {table} set {column} = ? || substr({column}, ?) where substr({column}, 1, ?) = ?",  # noqa: S608
                    (new, len(old) + 1, len(old), old),
                )
