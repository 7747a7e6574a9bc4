"""Locks, atomic writes, digests, and manifests: what a folder holds, with the digest of each file.

A manifest is written last, so that a half-written folder is never read as a whole one.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from claimkind.errors import ClaimkindError

MANIFEST = "manifest.json"
_MOST_BYTES = 1 << 26


def lock(name: str) -> FileLock:
    """A lock between the processes of this user on this machine; a process that ends in whatever way releases it.

    Args:
        name: of what only one process may do at a time.
    """
    return FileLock(Path(tempfile.gettempdir()) / f"claimkind-{os.getuid()}-{fingerprint({'locked': name})}.lock")


@contextlib.contextmanager
def atomic_write(path: Path, *, synced: bool = True) -> Iterator[Path]:
    """Give a draft to write to; it replaces `path` when the block ends without an exception, and else is deleted.

    Args:
        path: the file to write.
        synced: whether the file is on the disk when the block ends. If not, a power failure can leave it cut off.
    """
    draft = path.with_name(f".{path.name}.part")
    try:
        yield draft
        if synced:
            _sync(draft)
        draft.replace(path)
        if synced:
            _sync(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Wait until a file or the entries of a folder are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_file(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fingerprint(content: Mapping[str, Any]) -> str:
    """First 16 hex digits of the sha256 of JSON content: equal content, equal fingerprint, whatever the key order."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Write `content` and the digest of every file now below `folder` to its manifest, in one atomic step."""
    files = {
        path.relative_to(folder).as_posix(): sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    with atomic_write(folder / MANIFEST) as draft:
        draft.write_text(json.dumps({**content, "files": files}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path, most_bytes: int) -> Any:
    """Read a JSON file of a limited size.

    Raises:
        OSError: it cannot be read.
        ValueError: it is larger, no JSON, or nested too deep.
    """
    if path.stat().st_size > most_bytes:
        raise ValueError(f"larger than {most_bytes:,} bytes")
    try:
        return json.loads(path.read_bytes())
    except RecursionError:
        raise ValueError("nested too deep") from None


def read_manifest(folder: Path, what: str, remedy: str) -> dict[str, Any]:
    """Read a folder's manifest and check every file that it names.

    Args:
        folder: the folder to read.
        what: what the folder should hold, for the error text ("a dataset", "a saved model").
        remedy: what to do if it does not, an imperative.

    Returns:
        The manifest's content, `files` included.

    Raises:
        ClaimkindError: there is no manifest, it is not readable, a file is missing or its digest differs.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise ClaimkindError(f"{folder} holds no {MANIFEST}, so it is not {what} or was left half-written: {remedy}")
    try:
        content = _content(folder)
    except (OSError, ValueError):
        raise ClaimkindError(f"{path} is damaged, expected JSON with an entry `files`: {remedy}") from None
    for name, digest in content["files"].items():
        _check_file(folder, name, digest, remedy)
    return content


def listed_files(folder: Path) -> list[str]:
    """The names of the files that a folder's manifest lists, relative to the folder; they are not checked.

    Raises:
        OSError, ValueError: the manifest cannot be read.
    """
    return list(_content(folder)["files"])


def _content(folder: Path) -> dict[str, Any]:
    content = read_json(folder / MANIFEST, _MOST_BYTES)
    if not isinstance(content, dict) or not isinstance(content.get("files"), dict):
        raise ValueError("no entry `files`")
    return content


def _check_file(folder: Path, name: str, digest: str, remedy: str) -> None:
    path = folder / name
    try:
        inside, found = path.resolve().is_relative_to(folder.resolve()), path.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # no name that a file can have, or links in a circle
        reason = repr(str(error))  # which may hold characters that no console shows
        raise ClaimkindError(f"{folder / MANIFEST} names a file that cannot be read ({reason}): {remedy}") from None
    if not inside:
        raise ClaimkindError(f"{folder / MANIFEST} names {name}, a file outside its folder: {remedy}")
    if not found:
        raise ClaimkindError(f"{path} is missing though {MANIFEST} names it: {remedy}")
    if sha256_file(path) != digest:
        raise ClaimkindError(f"{path} is damaged, its sha256 is not the one in {MANIFEST}: {remedy}")
