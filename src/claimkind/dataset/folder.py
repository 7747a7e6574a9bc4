"""The folder of a dataset: its name, and replacing an older dataset without deleting anything else."""

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from claimkind.dataset.rows import SPLITS
from claimkind.errors import ClaimkindError
from claimkind.manifest import MANIFEST

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
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Give an empty draft folder; it takes the place of `folder` when the block ends without an exception.

    Only files of a dataset are ever deleted, one by one. An older dataset stays until the draft is complete.

    Raises:
        ClaimkindError: `folder` or a draft of an earlier build holds anything but a dataset.
    """
    folder = folder.resolve() if folder.is_symlink() else folder
    check_replaceable(folder)
    draft, old = folder.with_name(f".{folder.name}.part"), folder.with_name(f".{folder.name}.old")
    for left in (draft, old):
        _check_files(left)
    for left in (draft, old):
        _delete(left)
    draft.mkdir(parents=True)
    yield draft
    if folder.exists():
        folder.rename(old)
    draft.rename(folder)
    _delete(old)


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
