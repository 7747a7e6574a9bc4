"""Writing scored rows: parquet, CSV or JSON lines by the file's ending, whole or not at all."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from claimkind.errors import ClaimkindError

Write = Callable[[pd.DataFrame], None]


@contextlib.contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    with contextlib.ExitStack() as stack:
        opened: list[pq.ParquetWriter] = []

        def write(rows: pd.DataFrame) -> None:
            table = pa.Table.from_pandas(rows, preserve_index=False)
            if not opened:
                opened.append(stack.enter_context(pq.ParquetWriter(path, table.schema, compression="zstd")))
            opened[0].write_table(table.cast(opened[0].schema))

        yield write


@contextlib.contextmanager
def _csv(path: Path) -> Iterator[Write]:
    with path.open("w", encoding="utf-8", newline="") as stream:
        yield lambda rows: rows.to_csv(stream, index=False, header=stream.tell() == 0)


@contextlib.contextmanager
def _jsonl(path: Path) -> Iterator[Write]:
    with path.open("w", encoding="utf-8") as stream:
        yield lambda rows: rows.to_json(stream, orient="records", lines=True, force_ascii=False)


_WRITERS = {".parquet": _parquet, ".csv": _csv, ".jsonl": _jsonl}


def check_output(path: Path) -> None:
    """Refuse an output that could not be written, before any work is done.

    Raises:
        ClaimkindError: its ending is unknown, or it is a folder.
    """
    if path.suffix.lower() not in _WRITERS:
        raise ClaimkindError(f"output={path} has an unknown ending, expected one of {', '.join(_WRITERS)}: rename it")
    if path.is_dir():
        raise ClaimkindError(f"output={path} is a folder, expected a file: choose another name")


@contextlib.contextmanager
def open_writer(path: Path) -> Iterator[Write]:
    """Open a file for rows; it appears under its name only when the block ends well."""
    check_output(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    try:
        with _WRITERS[path.suffix.lower()](draft) as write:
            yield write
        if draft.exists():
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
