"""A file to read: its name, its format's ending, and its bytes."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from claimkind.io.compression import COMPRESSIONS, ending_of, open_file


@dataclass(frozen=True)
class InputFile:
    """A file to read."""

    path: Path
    """The file on disk; the archive, for a file in one."""
    name: str
    """How outputs name it: its path below the folder that was searched, or its name."""
    alone: bool = True
    """Whether it is the whole input, so that its rows need not tell which file they are from."""
    member: str | None = None
    """Its name in the archive; None where it is no archive."""
    partitions: Mapping[str, Any] = field(default_factory=dict)
    """Columns that the folders' names give, as in `year=2024/part.parquet`."""

    @property
    def ending(self) -> str:
        """The ending that tells the format, in lower case: `.csv` of `a.csv` and of `a.csv.gz`."""
        return ending_of(Path(self.member) if self.member else self.path)

    @property
    def is_compressed(self) -> bool:
        """Whether it cannot be read without decompressing it."""
        return self.member is not None or self.path.suffix.lower() in COMPRESSIONS

    @property
    def size(self) -> int | None:
        """About how many bytes it holds; None where it is compressed."""
        return None if self.is_compressed else self.path.stat().st_size

    def open(self) -> IO[bytes]:
        """Open it and decompress it.

        Raises:
            OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile: it is damaged, now or as it is read.
        """
        if self.member is None:
            return open_file(self.path)
        with zipfile.ZipFile(self.path) as archive:
            return archive.open(self.member)
