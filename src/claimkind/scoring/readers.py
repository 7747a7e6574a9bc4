"""Reading what is to be scored in chunks: text, Markdown, CSV, JSON lines and parquet; bad rows are set aside."""

import contextlib
import csv
import gzip
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from claimkind.dataset.documents import split_front_matter
from claimkind.errors import ClaimkindError

TEXT_ENDINGS = (".txt", ".md")
_ENDINGS = (*TEXT_ENDINGS, ".csv", ".jsonl", ".parquet")
_PACKED = ".gz"
# No sentence or document is longer; a line without an end must not fill the memory.
LONGEST = 1_000_000
_LONGEST_FRONT_MATTER = 200
_READ = 2 * LONGEST  # more than a row that is not too long can hold
# Surrogates: how Python marks bytes that are no UTF-8, or half of a character that JSON escapes in two.
_UNDECODED = {chr(code) for code in range(0xD800, 0xE000)}


class Rejected(NamedTuple):
    """A row that cannot be scored."""

    file: str
    row: int
    """From 0, within the file."""
    reason: str


class Chunk(NamedTuple):
    """Some rows of the input in their order, and those between them that cannot be scored."""

    rows: pd.DataFrame
    """`id` and `text`, both strings, and the other columns of the input."""
    rejected: list[Rejected]


class Columns(NamedTuple):
    """Which columns of a table hold what."""

    text: str
    id: str


def kind_of(path: Path) -> str:
    """The ending that tells the format: `.csv` of `a.csv` and `a.csv.gz`."""
    unpacked = path.with_suffix("") if path.suffix.lower() == _PACKED else path
    return unpacked.suffix.lower()


def find_files(path: Path) -> list[Path]:
    """The file itself, or every file below a folder that can be read, in order of name.

    Raises:
        ClaimkindError: there is no such file or folder, or nothing in it can be read.
    """
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if _readable(file) and file.is_file())
        if not found:
            raise ClaimkindError(f"input={path} holds no file to score, expected one of {', '.join(_ENDINGS)}")
        return found
    if not path.exists():
        raise ClaimkindError(f"input={path} does not exist, expected a file or a folder: check the path")
    if not _readable(path):
        raise ClaimkindError(f"input={path} has an unknown ending, expected one of {', '.join(_ENDINGS)}: rename it")
    return [path]


def _readable(path: Path) -> bool:
    packed = path.suffix.lower() == _PACKED
    return kind_of(path) in _ENDINGS and not (packed and kind_of(path) == ".parquet")


def read_documents(path: Path, name: str) -> Chunk:
    """Read a text file as one text, its front matter left out."""
    with _open(path) as stream:
        data = stream.read(LONGEST * 4 + 1)
    try:
        text = split_front_matter(data.decode("utf-8-sig"))[0]
    except UnicodeDecodeError:
        return _chunk([], [Rejected(name, 0, "no valid UTF-8")])
    row = {"id": name, "text": text}
    problem = _problem(row, "text")
    return _chunk([], [Rejected(name, 0, problem)]) if problem else _chunk([row], [])


def read_rows(path: Path, name: str, columns: Columns, size: int, *, among_others: bool = False) -> Iterator[Chunk]:
    """Read a table, or the lines of a text file, in chunks of `size` rows of the input.

    A row without an id of its own is known by its number; by the file's name too, if that is one `among_others`.

    Raises:
        ClaimkindError: the file is no such table, or has no such column.
    """
    first = 0
    of_lines = kind_of(path) in TEXT_ENDINGS
    prefix = f"{name}:" if among_others or of_lines else ""
    try:
        for batch in _BATCHES[kind_of(path)](path, columns, size):
            yield _checked(batch, name, columns, first, prefix, own_ids=not of_lines)
            first += len(batch)
    except (ValueError, OSError, EOFError, csv.Error) as error:  # of pyarrow and gzip too, for damaged files
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ClaimkindError(
            f"input={path} cannot be read ({reason}), expected {kind_of(path)} in UTF-8: check it"
        ) from None


def count_rows(path: Path) -> int:
    """About how many rows a table or a text file holds, for the time that is left: its lines, or what parquet says."""
    if kind_of(path) == ".parquet":
        with contextlib.suppress(pa.ArrowInvalid):  # told where the rows are read
            return int(pq.ParquetFile(path).metadata.num_rows)
        return 0
    with _open(path) as stream:
        return sum(piece.count(b"\n") for piece in iter(lambda: stream.read(1 << 20), b""))


Row = dict[str, Any] | str
"""A row of the input, or why there is none."""


def _parquet(path: Path, columns: Columns, size: int) -> Iterator[list[Row]]:
    file = pq.ParquetFile(path)
    _check_columns(file.schema_arrow.names, columns, path)
    # Group by group: what is read of a group is only given free once an iteration ends.
    for group in range(file.num_row_groups):
        for batch in file.iter_batches(batch_size=size, row_groups=[group]):
            try:
                yield batch.to_pylist()
            except UnicodeDecodeError:
                yield [_decoded(row) for row in _as_bytes(batch).to_pylist()]


def _as_bytes(batch: pa.RecordBatch) -> pa.RecordBatch:
    fields = [
        pa.field(f.name, pa.binary()) if pa.types.is_string(f.type) or pa.types.is_large_string(f.type) else f
        for f in batch.schema
    ]
    return batch.cast(pa.schema(fields))


def _decoded(row: dict[str, Any]) -> Row:
    try:
        return {name: value.decode() if isinstance(value, bytes) else value for name, value in row.items()}
    except UnicodeDecodeError:
        return "no valid UTF-8"


def _csv(path: Path, columns: Columns, size: int) -> Iterator[list[Row]]:
    csv.field_size_limit(LONGEST)
    with _open(path) as stream:
        reader = csv.reader(line.decode("utf-8", "surrogateescape") for line in _lines(stream))
        header = [name.removeprefix("\ufeff") for name in next(reader, [])]
        _check_columns(header, columns, path)
        while batch := list(itertools.islice(_csv_rows(reader, header), size)):
            yield batch


def _csv_rows(reader: Iterator[list[str]], header: list[str]) -> Iterator[Row]:
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield f"no CSV row: {error}"
            continue
        if not fields:
            continue  # a blank line is no row
        if len(fields) != len(header):
            yield f"{len(fields)} fields, expected {len(header)}"
        else:
            yield dict(zip(header, fields, strict=True))


def _jsonl(path: Path, columns: Columns, size: int) -> Iterator[list[Row]]:
    with _open(path) as stream:
        rows = (_json_row(line, columns) for line in _lines(stream) if line.strip())
        while batch := list(itertools.islice(rows, size)):
            yield batch


def _json_row(line: bytes, columns: Columns) -> Row:
    if len(line) > LONGEST:
        return f"longer than {LONGEST:,} bytes"
    try:
        row = json.loads(line)
    except UnicodeDecodeError:
        return "no valid UTF-8"
    except (ValueError, RecursionError):
        return "no JSON"
    if not isinstance(row, dict) or columns.text not in row:
        return f"no JSON object with {columns.text!r}"
    return row


def _text_lines(path: Path, columns: Columns, size: int) -> Iterator[list[Row]]:
    with _open(path) as stream:
        lines = enumerate((line.decode("utf-8", "surrogateescape").rstrip("\r\n") for line in _lines(stream)), start=1)
        body = _below_front_matter(lines)
        rows: Iterator[Row] = ({columns.id: str(n), columns.text: line} for n, line in body if line.strip())
        while batch := list(itertools.islice(rows, size)):
            yield batch


def _below_front_matter(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    held = list(itertools.islice(lines, 1))
    if held and held[0][1] == "---":
        held += itertools.islice(lines, _LONGEST_FRONT_MATTER)
        ends = [place for place, (_, line) in enumerate(held) if line == "---" and place]
        held = held[ends[0] + 1 :] if ends else held
    yield from itertools.chain(held, lines)


_BATCHES: dict[str, Callable[[Path, Columns, int], Iterator[list[Row]]]] = {
    ".parquet": _parquet, ".csv": _csv, ".jsonl": _jsonl, ".txt": _text_lines, ".md": _text_lines,
}  # fmt: skip


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix.lower() == _PACKED else path.open("rb")  # type: ignore[return-value]


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Lines; of one that is too long only so much that it can be told to be."""
    while line := stream.readline(_READ):
        yield line
        while len(line) == _READ and not line.endswith(b"\n"):
            line = stream.readline(_READ)


def _check_columns(found: Iterable[str], columns: Columns, path: Path) -> None:
    if columns.text not in found:
        raise ClaimkindError(
            f"input={path} has no column {columns.text!r}, expected one of its columns {', '.join(found)}: "
            "give text_column=…"
        )


def _checked(batch: list[Row], name: str, columns: Columns, first: int, prefix: str, *, own_ids: bool) -> Chunk:
    rows, rejected = [], []
    for number, row in enumerate(batch, start=first):
        problem = row if isinstance(row, str) else _problem(row, columns.text)
        if isinstance(row, str) or problem:
            rejected.append(Rejected(name, number, str(problem)))
            continue
        own = row.pop(columns.id, None)
        text = str(row.pop(columns.text))
        key = str(own) if own is not None and own_ids else f"{prefix}{number if own is None else own}"
        rows.append({"id": key, "text": text, **row})
    return _chunk(rows, rejected)


def _problem(row: dict[str, Any], text_column: str) -> str | None:
    """Why a row cannot be scored, or not be written again."""
    text = row.get(text_column)
    if text is None or text != text or not str(text).strip():  # nothing, not a number, or blank
        return "no text"
    if len(str(text)) > LONGEST:
        return f"longer than {LONGEST:,} characters"
    return "no valid UTF-8" if any(map(_undecoded, row.values())) else None


def _undecoded(value: Any) -> bool:
    """Whether there is text in it that no file can hold."""
    if isinstance(value, str):
        return not value.isascii() and not _UNDECODED.isdisjoint(value)
    if isinstance(value, dict):
        return any(map(_undecoded, (*value, *value.values())))
    return isinstance(value, list) and any(map(_undecoded, value))


def _chunk(rows: list[dict[str, Any]], rejected: list[Rejected]) -> Chunk:
    # As objects: pandas would make fractions of whole numbers in a column with a gap.
    return Chunk(pd.DataFrame(rows, columns=None if rows else ["id", "text"], dtype=object), rejected)
