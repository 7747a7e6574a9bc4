"""Compressed files."""

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

DAMAGED = (
    OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, pa.ArrowException,
)  # fmt: skip
"""What reading a file may raise, a compressed one included; NotImplementedError is for unusual compressions."""


def _open_zstandard(path: Path, mode: str) -> Any:
    return pa.CompressedInputStream(path.open(mode), "zstd")


COMPRESSIONS: dict[str, Callable[[Path, str], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": _open_zstandard,
}
"""By the ending of a file's name, how a file that is compressed as a whole is opened."""


def ending_of(path: Path) -> str:
    """The ending that tells the format, in lower case: `.csv` of `a.csv` and of `a.csv.gz`."""
    inner = path.with_suffix("") if path.suffix.lower() in COMPRESSIONS else path
    return inner.suffix.lower()


def open_file(path: Path) -> IO[bytes]:
    """Open a file, and decompress it where its ending says that it is compressed."""
    opened: IO[bytes] = COMPRESSIONS.get(path.suffix.lower(), Path.open)(path, "rb")
    return opened
