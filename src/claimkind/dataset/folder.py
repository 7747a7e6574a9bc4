"""The folder of a dataset: its name, its locks, and replacing an older dataset without deleting anything else."""

import contextlib
import json
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
from filelock import Timeout

from claimkind.dataset.rows import SPLITS
from claimkind.errors import ClaimkindError
from claimkind.manifest import MANIFEST, lock

CARD = "README.md"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
# Folders below `data_dir` with another purpose.
_RESERVED = ("checkpoints", "corpora")
# The manifest is deleted last, so that a folder that is half deleted is still recognised.
_FILES = (*(f"{split}.parquet" for split in SPLITS), CARD, f".{MANIFEST}.part", MANIFEST)


def check_name(name: str, what: str) -> None:
    """Check a name that becomes a folder or a part of a metric's name.

    Args:
        name: the name.
        what: what it names, for the error text.

    Raises:
        ClaimkindError: it is empty, a path, or has a character that a file system or MLflow may not take.
    """
    if not _NAME.fullmatch(name):
        raise ClaimkindError(
            f"{what} is {name!r}, expected letters, digits, `_`, `.` and `-`, beginning with a letter or digit: "
            "give another name"
        )


def dataset_folder(data_dir: str | Path, name: str) -> Path:
    """The folder of a dataset, whether it exists or not.

    Raises:
        ClaimkindError: the name is not plain (see `check_name`), or is that of a folder with another purpose.
    """
    check_name(name, "dataset.name")
    if name.lower() in _RESERVED:  # some file systems ignore case
        raise ClaimkindError(f"dataset.name is {name!r}, which is reserved for other files: give another name")
    return Path(data_dir) / name


def check_replaceable(folder: Path) -> None:
    """Check that a folder may be written: it does not exist, or holds a dataset that was built here and nothing else.

    Raises:
        ClaimkindError: it holds anything else.
    """
    if not folder.exists():
        return
    if not _holds_dataset(folder):
        raise ClaimkindError(
            f"{folder} is not a dataset that this script has built, so it is not replaced: "
            "move it, or give another dataset.name"
        )
    _check_files(folder)


@contextlib.contextmanager
def held_for_building(folder: Path) -> Iterator[None]:
    """Keep other builds of a dataset out for the time of the block.

    Raises:
        ClaimkindError: another process builds it.
    """
    try:
        with lock(f"build {folder.resolve()}").acquire(timeout=0):
            yield
    except Timeout:
        raise ClaimkindError(
            f"another process builds {folder}, expected none: wait for it, or give another dataset.name"
        ) from None


@contextlib.contextmanager
def held_for_reading(folder: Path) -> Iterator[None]:
    """Keep the files of a dataset from being replaced for the time of the block."""
    with lock(f"replace {folder.resolve()}"):
        yield


@contextlib.contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Give an empty draft folder; it takes the place of `folder` when the block ends without an exception.

    Only files of a dataset are ever deleted, one by one. An older dataset stays until the draft is complete. The name
    of the draft is that of the process, since locks do not hold between machines that share a disk.

    Raises:
        ClaimkindError: `folder` or a draft of an earlier build holds anything but a dataset, or another machine has
            replaced `folder` at the same time.
    """
    folder = folder.resolve() if folder.is_symlink() else folder
    check_replaceable(folder)
    own = f".{folder.name}.{socket.gethostname()}-{os.getpid()}"
    draft, old = folder.with_name(f"{own}.part"), folder.with_name(f"{own}.old")
    left = [draft, old, *_drafts_of_ended_processes(folder)]
    for earlier in left:
        _check_files(earlier)
    for earlier in left:
        _delete(earlier)
    draft.mkdir(parents=True)
    try:
        yield draft
        with held_for_reading(folder):
            _replace(folder, draft, old)
    finally:
        for earlier in (draft, old):
            _delete(earlier)


def _drafts_of_ended_processes(folder: Path) -> list[Path]:
    """What builds on this machine have left that were killed."""
    pattern = re.compile(rf"\.{re.escape(folder.name)}\.{re.escape(socket.gethostname())}-(\d+)\.(part|old)")
    names = [path.name for path in folder.parent.iterdir()] if folder.parent.is_dir() else []
    found = [match for name in sorted(names) if (match := pattern.fullmatch(name))]
    return [folder.with_name(match[0]) for match in found if not psutil.pid_exists(int(match[1]))]


def _replace(folder: Path, draft: Path, old: Path) -> None:
    try:
        if folder.exists():
            folder.rename(old)
        draft.rename(folder)
    except OSError as error:
        if old.exists() and not folder.exists():
            old.rename(folder)
        raise ClaimkindError(
            f"{folder} cannot be replaced ({error.strerror}), expected that no other machine does it at the same time: "
            "build it again"
        ) from None


def _holds_dataset(folder: Path) -> bool:
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and {"rows", "fingerprint", "files"} <= set(content)


def _check_files(folder: Path) -> None:
    other = sorted({path.name for path in folder.iterdir()} - set(_FILES)) if folder.is_dir() else []
    if other:
        raise ClaimkindError(
            f"{folder} holds {other[0]}, which is no file of a dataset: move it, or give another dataset.name"
        )


def _delete(folder: Path) -> None:
    """Delete the files of a dataset, then the folder; `rmdir` fails if anything else is in it."""
    if folder.is_dir():
        for name in _FILES:
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()
