"""Finding the files of an input."""

import glob
import os
import re
import urllib.parse
import zipfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from claimkind.errors import ClaimkindError, first_line
from claimkind.io.compression import COMPRESSIONS, ending_of
from claimkind.io.formats import FORMATS
from claimkind.io.input_file import InputFile
from claimkind.io.rows import Rejected

ARCHIVE = ".zip"
# What notebooks, macOS, Delta Lake and Spark put next to data; names that begin with a dot are hidden too.
_INTERNAL = {"_delta_log", "_temporary", "_spark_metadata", "__MACOSX"}
_OPEN_IN_OFFICE = "~$"  # begins the name of what Word and Excel write next to a file that is open
_PARTITION = re.compile(r"([^=]+)=(.*)")  # of Hive, as in year=2024
_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_ENDINGS = f"{', '.join(FORMATS)}, {ARCHIVE}, or one of these but .parquet with {', '.join(COMPRESSIONS)} behind it"


class Listing(NamedTuple):
    """The files of an input."""

    files: list[InputFile]
    """Those that are read, in the order of their names."""
    skipped: Counter[str]
    """How many are not read, by ending; `hidden` for those that begin with a dot or belong to another program."""
    rejected: list[Rejected]
    """Archives that are damaged, and encrypted files in archives."""


def find_files(path: Path) -> list[InputFile]:
    """The files of an input that can be read; see `list_files`."""
    return list_files(path).files


def list_files(path: Path, left_out: Collection[Path] = ()) -> Listing:
    """List the file itself, the files in an archive, every file below a folder, or all that a pattern matches.

    Args:
        path: a file, an archive, a folder, or a pattern as `exports/*.csv`.
        left_out: files and folders that are no input, with what is in them.

    Raises:
        ClaimkindError: there is no such file or folder, or nothing in it can be read.
    """
    # Not Path.glob, which takes no absolute pattern.
    matches = [] if path.exists() else sorted(map(Path, glob.glob(str(path), recursive=True)))  # noqa: PTH207
    if not path.exists() and not matches:
        raise ClaimkindError(f"{path} does not exist, expected a file or a folder: check the path")
    if path.is_dir():
        listing = _list(((file, file.relative_to(path)) for file in _walk(path)), left_out)
    elif matches:
        files = dict.fromkeys(file for match in matches for file in (_walk(match) if match.is_dir() else [match]))
        listing = _list(((file, file) for file in files), left_out)
    else:
        listing = _list([(path, Path(path.name))], left_out=(), keep_hidden=True)
        listing = listing._replace(files=[_standing_alone(file, len(listing.files)) for file in listing.files])
    if listing.files:
        return listing
    if listing.rejected:
        raise ClaimkindError(f"{listing.rejected[0].file} {listing.rejected[0].reason}")
    if path.is_file() and path.suffix.lower() != ARCHIVE:
        raise ClaimkindError(
            f"{path} has an unknown ending, expected one of {_ENDINGS}: convert it, or rename it where only the name "
            "is wrong"
        )
    kinds = f" ({kinds_in_words(listing.skipped)})" if listing.skipped else ""
    raise ClaimkindError(f"{path} holds no file that can be read{kinds}, expected one of {_ENDINGS}")


def kinds_in_words(skipped: Mapping[str, int]) -> str:
    """The number of files of each kind that is not read: `2 .rtf, 1 hidden`."""
    return ", ".join(f"{count:,} {kind}" for kind, count in sorted(skipped.items()))


def _standing_alone(file: InputFile, count: int) -> InputFile:
    """A file of an input of `count` files: the whole input if it is the only one."""
    return InputFile(file.path, _printable(file.member or file.path.name), True, file.member) if count == 1 else file


def _list(found: Iterable[tuple[Path, Path]], left_out: Collection[Path], *, keep_hidden: bool = False) -> Listing:
    """List files, each with the path that names it."""
    excluded = {path.resolve() for path in left_out}
    listing = Listing([], Counter(), [])
    for path, name in sorted(found):
        if path.is_symlink() and not path.exists():
            listing.skipped["broken link"] += 1
        if not path.is_file() or not excluded.isdisjoint([path.resolve(), *path.resolve().parents]):
            continue
        if _is_hidden(name) and not keep_hidden:
            listing.skipped["hidden"] += 1
        elif path.suffix.lower() == ARCHIVE:
            _list_archive(path, name, listing)
        elif _is_readable(path):
            listing.files.append(InputFile(path, _printable(name.as_posix()), False, partitions=_partitions(name)))
        else:
            listing.skipped[_kind(path)] += 1
    return listing


def _list_archive(path: Path, name: Path, listing: Listing) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted((info.filename, info.flag_bits & 1) for info in archive.infolist() if not info.is_dir())
    except (zipfile.BadZipFile, NotImplementedError) as error:
        reason = f"cannot be read ({first_line(error)}), expected {ARCHIVE}: check it"
        listing.rejected.append(Rejected(_printable(name.as_posix()), None, reason))
        return
    for member, encrypted in members:
        inner = PurePosixPath(member)
        full = _printable(f"{name.as_posix()}/{member}")
        if _is_hidden(inner):
            listing.skipped["hidden"] += 1
        elif inner.suffix.lower() in COMPRESSIONS or not _is_compressible(inner.suffix.lower()):
            listing.skipped[f"{_kind(inner)} in {ARCHIVE}"] += 1
        elif encrypted:
            listing.rejected.append(Rejected(full, None, "is encrypted, expected no password: extract it first"))
        else:
            listing.files.append(InputFile(path, full, False, member, _partitions(name / inner)))


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


def _is_hidden(name: Path | PurePosixPath) -> bool:
    return any(part in _INTERNAL or (part.startswith((".", _OPEN_IN_OFFICE)) and part != "..") for part in name.parts)


def _is_readable(path: Path) -> bool:
    ending = ending_of(path)
    return _is_compressible(ending) if path.suffix.lower() in COMPRESSIONS else ending in FORMATS


def _is_compressible(ending: str) -> bool:
    return ending in FORMATS and FORMATS[ending].compressible


def _kind(path: Path | PurePosixPath) -> str:
    return "".join(path.suffixes[-2:] if path.suffix in COMPRESSIONS else path.suffixes[-1:]) or "without ending"


def _partitions(name: Path | PurePosixPath) -> dict[str, Any]:
    """The columns that the folders of a path give, as Hive and Spark write them."""
    found = (_PARTITION.fullmatch(part) for part in name.parts[:-1])
    return {match[1]: _partition_value(urllib.parse.unquote(match[2])) for match in found if match}


def _partition_value(text: str) -> str | int | None:
    if text == _NULL_PARTITION:
        return None
    return int(text) if text.isdecimal() and str(int(text)) == text else text


def _printable(name: str) -> str:
    """A file's name in UTF-8, whatever its bytes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
