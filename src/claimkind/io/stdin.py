"""Standard input as a file."""

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from claimkind.io.formats import FORMATS

_STDIN = {"-": ".txt", **{f"-{ending}": ending for ending in FORMATS}}
"""By the name of an input, the format of standard input."""


@contextlib.contextmanager
def open_path(name: str) -> Iterator[Path]:
    """Give the path of an input; standard input is copied to a temporary file, which is deleted when the block ends.

    Args:
        name: a path; or `-` for standard input as text, `-.csv` as CSV, and so on.
    """
    if name not in _STDIN:
        yield Path(name)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"stdin{_STDIN[name]}")
        with path.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        yield path
