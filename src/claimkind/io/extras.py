"""Formats whose libraries are an extra, and may be missing."""

import contextlib
import importlib
import io
import zipfile
from collections.abc import Iterator
from typing import Any

from claimkind.errors import first_line
from claimkind.io.base import UnreadableError
from claimkind.io.input_file import InputFile

_MOST_BYTES = 1 << 28
_MOST_UNPACKED = 1 << 29


def import_extra(module: str, package: str) -> Any:
    """Import a library of the extra `formats`.

    Raises:
        UnreadableError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise UnreadableError(
            f"needs {package}, expected the extra formats: pip install 'claimkind[formats]'"
        ) from None


def read_bytes(file: InputFile) -> bytes:
    """All bytes of a file.

    Raises:
        UnreadableError: there are too many.
    """
    with file.open() as stream:
        data = stream.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise UnreadableError(f"is larger than {_MOST_BYTES >> 20} MiB: split it")
    return data


def check_unpacked_size(data: bytes) -> None:
    """Check what an archive, as Word and Excel write them, holds when it is unpacked.

    Raises:
        UnreadableError: it is too large.
        zipfile.BadZipFile: it is no archive.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(info.file_size for info in archive.infolist()) > _MOST_UNPACKED:
            raise UnreadableError(f"is larger than {_MOST_UNPACKED >> 20} MiB when unpacked: split it")


@contextlib.contextmanager
def reading(file: InputFile) -> Iterator[None]:
    """Report what a library raises on a damaged file as one sentence; some raise errors of many types."""
    try:
        yield
    except (UnreadableError, MemoryError):
        raise
    except Exception as error:
        raise UnreadableError(f"cannot be read ({first_line(error)}), expected {file.ending}: check it") from None
