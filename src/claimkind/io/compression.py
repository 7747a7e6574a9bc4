"""Opening files, compressed or not."""

import gzip
import zlib
from pathlib import Path
from typing import IO

COMPRESSED = ".gz"
DAMAGED = (OSError, EOFError, zlib.error)
"""What reading a file may raise, a compressed one included."""


def ending_of(path: Path) -> str:
    """The ending that tells the format, in lower case: `.csv` of `a.csv` and of `a.csv.gz`."""
    inner = path.with_suffix("") if is_compressed(path) else path
    return inner.suffix.lower()


def is_compressed(path: Path) -> bool:
    """Whether a file is compressed by gzip, as its ending says."""
    return path.suffix.lower() == COMPRESSED


def open_file(path: Path) -> IO[bytes]:
    """Open a file and decompress it where its ending says that it is compressed."""
    return gzip.open(path, "rb") if is_compressed(path) else path.open("rb")  # type: ignore[return-value]
