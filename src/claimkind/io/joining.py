"""Joining files byte by byte."""

from collections.abc import Sequence
from pathlib import Path

_PIECE = 1 << 20


def join_bytes(parts: Sequence[Path], path: Path, *, header_lines: int = 0) -> None:
    """Join files one after the other.

    Args:
        parts: the files.
        path: the file to write.
        header_lines: lines at the start of each part that only the first part keeps.
    """
    with path.open("wb") as joined:
        for number, part in enumerate(parts):
            with part.open("rb") as stream:
                for _ in range(header_lines if number else 0):
                    stream.readline()
                while piece := stream.read(_PIECE):
                    joined.write(piece)
