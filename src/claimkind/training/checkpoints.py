"""The checkpoint folder of an unfinished training: its lock and the id of its MLflow run."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import Timeout

from claimkind import tracking
from claimkind.errors import ClaimkindError

_RUN_ID = "run_id"


@contextlib.contextmanager
def checkpoint_folder(folder: Path, *, resume: bool) -> Iterator[Path]:
    """Hold the checkpoint folder of one training; no other process can hold it at the same time.

    The folder is deleted when the block ends without an exception. After an exception or a kill it stays, so that
    the training can be resumed.

    Args:
        folder: need not exist.
        resume: whether to go on from the checkpoints there; otherwise they are deleted first.

    Raises:
        ClaimkindError: another process holds the folder, or there is nothing to resume.
    """
    try:
        with tracking.lock(str(folder.resolve())).acquire(timeout=0):
            if not resume:
                _discard(folder)
            elif not (folder / _RUN_ID).is_file():
                raise ClaimkindError(
                    f"resume=true, but {folder} holds no unfinished training like this: leave resume out"
                )
            yield folder
            shutil.rmtree(folder, ignore_errors=True)
    except Timeout:
        raise ClaimkindError(
            f"another process trains with these very settings in {folder}: wait for it, or stop it"
        ) from None


def read_run_id(folder: Path) -> str | None:
    """The MLflow run of the unfinished training in a folder; None if there is none."""
    path = folder / _RUN_ID
    return path.read_text(encoding="utf-8") if path.is_file() else None


def write_run_id(folder: Path, run_id: str) -> None:
    """Make the folder, and store the MLflow run of the training in it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _RUN_ID).write_text(run_id, encoding="utf-8")


def _discard(folder: Path) -> None:
    tracking.end_killed_run(read_run_id(folder) or "")  # kill -9 left it RUNNING
    shutil.rmtree(folder, ignore_errors=True)
