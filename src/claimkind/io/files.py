"""Finding the files of an input."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from claimkind.errors import ClaimkindError
from claimkind.io.compression import COMPRESSIONS, ending_of
from claimkind.io.formats import FORMATS
from claimkind.io.input_file import InputFile


def find_files(path: Path, left_out: Collection[Path] = ()) -> list[InputFile]:
    """The file itself, or every file below a folder that can be read, in the order of their names.

    Args:
        path: the file or folder.
        left_out: files and folders below it that are no input, with what is in them.

    Raises:
        ClaimkindError: there is no such file or folder, or nothing in it can be read.
    """
    if path.is_dir():
        return _find_below(path, left_out)
    if not path.exists():
        raise ClaimkindError(f"{path} does not exist, expected a file or a folder: check the path")
    if not _is_readable(path):
        raise ClaimkindError(
            f"{path} has an unknown ending, expected one of {', '.join(FORMATS)}, and {', '.join(COMPRESSIONS)} behind "
            "all but .parquet: convert it, or rename it where only the name is wrong"
        )
    return [InputFile(path, _printable(path.name), alone=True)]


def _find_below(folder: Path, left_out: Collection[Path]) -> list[InputFile]:
    excluded = {path.resolve() for path in left_out}
    found = sorted(
        path
        for path in _walk(folder)
        if _is_readable(path) and path.is_file() and excluded.isdisjoint([path.resolve(), *path.resolve().parents])
    )
    if not found:
        raise ClaimkindError(f"{folder} holds no file that can be read, expected one of {', '.join(FORMATS)}")
    return [InputFile(path, _printable(path.relative_to(folder).as_posix()), alone=False) for path in found]


def _walk(folder: Path) -> Iterator[Path]:
    """Every file below a folder, those of linked folders included, each folder once.

    Raises:
        PermissionError: a folder may not be read; its files must not be missing silently.
    """
    seen: set[str] = set()
    for root, folders, names in os.walk(folder, onerror=_raise, followlinks=True):
        real = os.path.realpath(root)
        if real in seen:  # a link to a folder above
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        yield from (Path(root, name) for name in names)


def _raise(error: OSError) -> None:
    raise error


def _is_readable(path: Path) -> bool:
    known = FORMATS.get(ending_of(path))
    return known is not None and (known.compressible or path.suffix.lower() not in COMPRESSIONS)


def _printable(name: str) -> str:
    """A file's name in UTF-8, whatever its bytes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
