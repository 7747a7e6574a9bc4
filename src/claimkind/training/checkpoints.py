"""The checkpoint folder of an unfinished training: its lock and the id of its MLflow run."""

import contextlib
import logging
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import Timeout

from claimkind import tracking
from claimkind.errors import ClaimkindError
from claimkind.manifest import lock

_LOGGER = logging.getLogger(__name__)
_RUN_ID = "run_id"
# The checkpoints of the Trainer, and those of the stage that learns from evidence.
_CHECKPOINTS = re.compile(r"checkpoint-\d+|evidence")


@contextlib.contextmanager
def checkpoint_folder(folder: Path, *, resume: bool) -> Iterator[Path]:
    """Hold the checkpoint folder of one training; no other process can hold it at the same time.

    The folder is deleted when the block ends without an exception. After an exception or a kill it stays, so that
    the training can be resumed. A folder that holds anything but checkpoints is never deleted.

    Args:
        folder: need not exist.
        resume: whether to go on from the checkpoints there; otherwise they are deleted first.

    Raises:
        ClaimkindError: another process holds the folder, it holds other files, or there is nothing to resume.
    """
    try:
        with lock(str(folder.resolve())).acquire(timeout=0):
            if not resume:
                _discard(folder)
            elif not (folder / _RUN_ID).is_file():
                raise ClaimkindError(
                    f"resume=true, but {folder} holds no unfinished training like this: leave resume out"
                )
            yield folder
            _delete_finished(folder)
    except Timeout:
        raise ClaimkindError(
            f"another process trains with these very settings in {folder}: wait for it, or stop it"
        ) from None


def read_run_id(folder: Path) -> str | None:
    """The MLflow run of the unfinished training in a folder; None if there is none."""
    path = folder / _RUN_ID
    return (path.read_text(encoding="utf-8") or None) if path.is_file() else None


def write_run_id(folder: Path, run_id: str) -> None:
    """Make the folder, and store the MLflow run of the training in it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _RUN_ID).write_text(run_id, encoding="utf-8")


def _discard(folder: Path) -> None:
    other = _other_file(folder)
    if other:
        raise ClaimkindError(
            f"{folder} holds {other}, expected nothing but checkpoints of a training: move it away, or give another "
            "paths.data_dir"
        )
    tracking.end_killed_run(read_run_id(folder) or "")  # kill -9 left it RUNNING
    _delete(folder)


def _delete_finished(folder: Path) -> None:
    other = _other_file(folder)
    if other:
        _LOGGER.warning("%s holds %s, which is of no training: the folder is not deleted", folder, other)
    else:
        _delete(folder)


def _other_file(folder: Path) -> str | None:
    """The name of an entry of a folder that no training writes; None if there is none."""
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if names and _RUN_ID not in names:  # it is written first, and deleted last
        return names[0]
    return next((name for name in names if name != _RUN_ID and not _CHECKPOINTS.fullmatch(name)), None)


def _delete(folder: Path) -> None:
    if folder.is_dir():
        for path in folder.iterdir():
            if path.name != _RUN_ID:
                shutil.rmtree(path)
        (folder / _RUN_ID).unlink(missing_ok=True)
        folder.rmdir()
