"""Reading what is to be scored: text, Markdown, CSV, JSON lines and parquet, in chunks."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from claimkind.dataset.documents import read_document
from claimkind.errors import ClaimkindError

TEXT_ENDINGS = (".txt", ".md")


def _read_csv(path: Path, chunk_size: int) -> Iterator[pd.DataFrame]:
    yield from pd.read_csv(path, chunksize=chunk_size, keep_default_na=False, dtype=str)


def _read_jsonl(path: Path, chunk_size: int) -> Iterator[pd.DataFrame]:
    yield from pd.read_json(path, lines=True, chunksize=chunk_size, dtype=False)


def _read_parquet(path: Path, chunk_size: int) -> Iterator[pd.DataFrame]:
    for batch in pq.ParquetFile(path).iter_batches(batch_size=chunk_size):
        yield batch.to_pandas()


_ROW_READERS: dict[str, Callable[[Path, int], Iterator[pd.DataFrame]]] = {
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}


def find_files(path: Path) -> list[Path]:
    """The file itself, or every file below a folder that can be read, in order of name.

    Raises:
        ClaimkindError: there is no such file or folder, or nothing in it can be read.
    """
    endings = (*TEXT_ENDINGS, *_ROW_READERS)
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.suffix.lower() in endings and file.is_file())
        if not found:
            raise ClaimkindError(f"input={path} holds no file to score, expected one of {', '.join(endings)}")
        return found
    if not path.exists():
        raise ClaimkindError(f"input={path} does not exist, expected a file or a folder: check the path")
    if path.suffix.lower() not in endings:
        raise ClaimkindError(f"input={path} has an unknown ending, expected one of {', '.join(endings)}: rename it")
    return [path]


def read_texts(
    path: Path, root: Path, *, lines: bool, text_column: str, id_column: str, chunk_size: int
) -> Iterator[pd.DataFrame]:
    """Read one file in chunks.

    Args:
        path: the file.
        root: the folder that ids of documents are relative to.
        lines: of a text file, whether each line is a text of its own; else the whole file is one.
        text_column: of tables, the column that holds the text.
        id_column: of tables, the column that names a row, where there is one; else rows are numbered from 0.
        chunk_size: rows at a time.

    Yields:
        Frames with `id` and `text`, both strings, and the other columns of the input.

    Raises:
        ClaimkindError: the file cannot be read, or has no such column.
    """
    if path.suffix.lower() in TEXT_ENDINGS:
        yield from _text_chunks(path, path.relative_to(root).as_posix(), lines, chunk_size)
        return
    first = 0
    for chunk in _checked_chunks(path, chunk_size):
        yield _with_id_and_text(chunk, path, first, text_column, id_column)
        first += len(chunk)


def _text_chunks(path: Path, name: str, lines: bool, chunk_size: int) -> Iterator[pd.DataFrame]:
    document = read_document(path)
    if not lines:
        yield pd.DataFrame({"id": [name], "text": [document.text]})
        return
    numbered = enumerate(document.text.splitlines(), document.first_line)
    texts = [(number, line) for number, line in numbered if line.strip()]
    for start in range(0, len(texts), chunk_size):
        part = texts[start : start + chunk_size]
        yield pd.DataFrame({"id": [f"{name}:{number}" for number, _ in part], "text": [line for _, line in part]})


def _checked_chunks(path: Path, chunk_size: int) -> Iterator[pd.DataFrame]:
    try:
        yield from _ROW_READERS[path.suffix.lower()](path, chunk_size)
    except (ValueError, OSError) as error:  # pandas and pyarrow raise these, and subclasses, for damaged input
        reason = str(error).splitlines()[0]
        raise ClaimkindError(
            f"input={path} cannot be read ({reason}), expected {path.suffix} in UTF-8: check it"
        ) from None


def _with_id_and_text(chunk: pd.DataFrame, path: Path, first: int, text_column: str, id_column: str) -> pd.DataFrame:
    if text_column not in chunk:
        raise ClaimkindError(
            f"input={path} has no column {text_column!r}, expected one of its columns "
            f"{', '.join(map(str, chunk.columns))}: give text_column=…"
        )
    ids = chunk[id_column] if id_column in chunk else pd.RangeIndex(first, first + len(chunk))
    empty = chunk[text_column].isna() | (chunk[text_column].astype(str).str.strip() == "")
    if empty.any():
        row = first + int(empty.to_numpy().argmax())
        raise ClaimkindError(f"input={path}: row {row} (from 0) has no text in {text_column!r}: remove or fill it")
    others = chunk.drop(columns=[text_column, id_column], errors="ignore")
    named = pd.DataFrame({"id": [str(value) for value in ids], "text": chunk[text_column].astype(str).tolist()})
    return pd.concat([named, others.reset_index(drop=True)], axis=1)
