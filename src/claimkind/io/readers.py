"""Reading what is to be scored in chunks: text, Markdown, CSV, JSON lines and parquet; bad rows are set aside."""

import codecs
import csv
import functools
import gzip
import itertools
import json
import os
import zlib
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from claimkind.errors import ClaimkindError
from claimkind.io.columns import rename_reserved_columns
from claimkind.text.front_matter import split_front_matter

TEXT_ENDINGS = (".txt", ".md")
_ENDINGS = (*TEXT_ENDINGS, ".csv", ".jsonl", ".parquet")
_PACKED = ".gz"
# No sentence or document is longer; a line without an end must not fill the memory.
LONGEST = 1_000_000
_LONGEST_FRONT_MATTER = 200
_LONGEST_LINE = 5 * LONGEST  # bytes: a text of so many characters, and other columns
_HELD = 8 * LONGEST  # bytes that are read at once
_LOOKED_AT = 64  # rows by which their size is judged
_TOO_LONG = f"longer than {LONGEST:,} characters"
_LONG_LINE = f"a line longer than {_LONGEST_LINE:,} bytes"
_KINDS: dict[type, str] = {dict: "an object", list: "a list", bytes: "bytes"}
_DAMAGED = (OSError, EOFError, zlib.error)
"""What reading a file may raise, a packed one too."""
# Surrogates: how Python marks bytes that are no UTF-8, or half of a character that JSON escapes in two.
_UNDECODED = {chr(code) for code in range(0xD800, 0xE000)}


class Rejected(NamedTuple):
    """A row that cannot be scored."""

    file: str
    row: int
    """From 0, within the file; a blank line is no row."""
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
    unpacked = path.with_suffix("") if is_packed(path) else path
    return unpacked.suffix.lower()


def find_files(path: Path, left_out: Collection[Path] = ()) -> list[Path]:
    """The file itself, or every file below a folder that can be read, in order of name.

    Args:
        path: the file or folder.
        left_out: files and folders below it that are no input, with what is in them.

    Raises:
        ClaimkindError: there is no such file or folder, or nothing in it can be read.
    """
    if path.is_dir():
        apart = {one.resolve() for one in left_out}
        found = sorted(
            file
            for file in _walk(path)
            if _readable(file) and file.is_file() and apart.isdisjoint([file.resolve(), *file.resolve().parents])
        )
        if not found:
            raise ClaimkindError(f"input={path} holds no file to score, expected one of {', '.join(_ENDINGS)}")
        return found
    if not path.exists():
        raise ClaimkindError(f"input={path} does not exist, expected a file or a folder: check the path")
    if not _readable(path):
        raise ClaimkindError(
            f"input={path} has an unknown ending, expected one of {', '.join(_ENDINGS)}, with {_PACKED} behind all but "
            "the last: convert it, or rename it where only the name is wrong"
        )
    return [path]


def _walk(folder: Path) -> Iterator[Path]:
    """Every file below a folder, those of linked folders too, each folder once.

    Raises:
        PermissionError: a folder may not be read; what is in it must not be missing without a word.
    """
    seen: set[str] = set()
    for root, folders, names in os.walk(folder, onerror=_raise, followlinks=True):
        real = os.path.realpath(root)
        if real in seen:  # a link to a folder above
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        yield from (Path(root, name) for name in names)


def _raise(error: OSError) -> None:
    raise error


def _readable(path: Path) -> bool:
    return kind_of(path) in _ENDINGS and not (is_packed(path) and kind_of(path) == ".parquet")


def is_packed(path: Path) -> bool:
    """Whether a file is compressed by gzip, to go by its ending."""
    return path.suffix.lower() == _PACKED


def read_documents(path: Path, name: str) -> Chunk:
    """Read a text file as one text, its front matter left out."""
    try:
        with _open(path) as stream:
            data = stream.read(4 * LONGEST + 1)
    except _DAMAGED as error:
        return _chunk([], [Rejected(name, 0, f"cannot be read ({_first_line(error)})")])
    if len(data) > 4 * LONGEST:
        return _chunk([], [Rejected(name, 0, _TOO_LONG)])
    try:
        text = split_front_matter(data.decode("utf-8-sig"))[0]
    except UnicodeDecodeError:
        return _chunk([], [Rejected(name, 0, "no valid UTF-8")])
    row = {"id": name, "text": text}
    problem = _problem(row, "text")
    return _chunk([], [Rejected(name, 0, problem)]) if problem else _chunk([row], [])


def read_rows(path: Path, name: str, columns: Columns, size: int, *, among_others: bool = False) -> Iterator[Chunk]:
    """Read a table, or the lines of a text file, in chunks of `size` rows of the input.

    A row without an id of its own is known by its number; by the file's name too, if that is one `among_others`. Of
    such a file, what cannot be read is set aside as if it were one row.

    Raises:
        ClaimkindError: the file stands alone and is no such table, or has no such column.
    """
    first = 0
    of_lines = kind_of(path) in TEXT_ENDINGS
    prefix = f"{name}:" if among_others or of_lines else ""
    try:
        for batch in _BATCHES[kind_of(path)](path, columns, size):
            yield _checked(batch, name, columns, first, prefix, own_ids=not of_lines)
            first += len(batch)
    except ClaimkindError as error:
        if not among_others:
            raise
        yield _chunk([], [Rejected(name, first, str(error))])
    except (ValueError, csv.Error, *_DAMAGED) as error:
        reason = f"cannot be read ({_first_line(error)}), expected {kind_of(path)} in UTF-8"
        if not among_others:
            raise ClaimkindError(f"input={path} {reason}: check it") from None
        yield _chunk([], [Rejected(name, first, reason)])


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def count_rows(path: Path) -> int:
    """About how many rows a table or a text file holds, for the time that is left: its lines, or what parquet says."""
    try:
        if kind_of(path) == ".parquet":
            return int(pq.ParquetFile(path).metadata.num_rows)
        with _open(path) as stream:
            return sum(piece.count(b"\n") for piece in iter(lambda: stream.read(1 << 20), b""))
    except (ValueError, *_DAMAGED):  # told where the rows are read
        return 0


Row = dict[str, Any] | str
"""A row of the input, or why there is none."""


def _parquet(path: Path, columns: Columns, size: int) -> Iterator[list[Row]]:
    file = pq.ParquetFile(path)
    _check_columns(file.schema_arrow.names, columns, path)
    # Group by group: what is read of a group is only given free once an iteration ends.
    for group in range(file.num_row_groups):
        at_once = max(1, min(size, _HELD // _row_bytes(file, group)))
        for batch in file.iter_batches(batch_size=at_once, row_groups=[group]):
            try:
                yield batch.to_pylist()
            except (ValueError, OverflowError):
                yield [_row_of(batch.slice(number, 1)) for number in range(len(batch))]


def _row_bytes(file: pq.ParquetFile, group: int) -> int:
    """About how much of the memory a row takes: a text that many rows repeat is once in the file."""
    about = file.metadata.row_group(group)
    stored = about.total_byte_size // max(1, about.num_rows)
    seen = next(file.iter_batches(batch_size=_LOOKED_AT, row_groups=[group]), None)
    return max(stored, seen.nbytes // max(1, len(seen)) if seen else 0) + 1


def _row_of(batch: pa.RecordBatch) -> Row:
    try:
        return dict(batch.to_pylist()[0])
    except UnicodeDecodeError:
        return "no valid UTF-8"
    except (ValueError, OverflowError) as error:  # a date beyond the year 9999, say
        return f"cannot be read ({_first_line(error)})"


def _csv(path: Path, columns: Columns, size: int) -> Iterator[list[Row]]:
    csv.field_size_limit(LONGEST)
    with _open(path) as stream:
        lines = _Lines(stream)
        retraced = _Retraced(iter(lines))
        reader = csv.reader(retraced, strict=True)
        header = next(reader, [])
        _check_columns(header, columns, path)
        yield from _batches(_csv_rows(reader, retraced, header), size, lines)


class _Lines:
    """Lines of a file, without a byte order mark; None in the place of one that is too long."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.bytes_read = 0

    def __iter__(self) -> Iterator[bytes | None]:
        while line := self.stream.readline(_LONGEST_LINE + 1):
            if not self.bytes_read:
                line = line.removeprefix(codecs.BOM_UTF8)
            self.bytes_read += len(line)
            if len(line) <= _LONGEST_LINE:
                yield line
                continue
            while line and not line.endswith(b"\n"):
                line = self.stream.readline(_LONGEST_LINE)
            yield None


class _Retraced:
    """Lines of which those behind the first of a record can be given once more.

    A quotation mark that nobody closed takes all lines up to the next one for part of its row.
    """

    def __init__(self, lines: Iterator[bytes | None]) -> None:
        self.lines = lines
        self.again: deque[bytes | None] = deque()
        self.record: list[bytes | None] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.again.popleft() if self.again else next(self.lines)
        self.record.append(line)
        if line is None:
            raise csv.Error(_LONG_LINE)
        return line.decode("utf-8", "surrogateescape")

    def back_to_second(self) -> None:
        self.again.extendleft(reversed(self.record[1:]))


def _csv_rows(reader: Iterator[list[str]], lines: _Retraced, header: list[str]) -> Iterator[Row]:
    while True:
        lines.record.clear()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            lines.back_to_second()
            yield f"no CSV row: {error}"
            continue
        if not fields:
            continue  # a blank line is no row
        if len(fields) != len(header):
            yield f"{len(fields)} fields, expected {len(header)}"
        else:
            yield dict(zip(header, fields, strict=True))


def _batches(rows: Iterator[Row], size: int, lines: _Lines) -> Iterator[list[Row]]:
    """So many rows at a time, or fewer where the lines that they are read from are long."""
    batch: list[Row] = []
    begin = lines.bytes_read
    for row in rows:
        batch.append(row)
        if len(batch) >= size or lines.bytes_read - begin >= _HELD:
            yield batch
            batch, begin = [], lines.bytes_read
    if batch:
        yield batch


def _jsonl(path: Path, columns: Columns, size: int) -> Iterator[list[Row]]:
    with _open(path) as stream:
        lines = _Lines(stream)
        rows = (_json_row(line, columns) for line in lines if line is None or line.strip())
        yield from _batches(rows, size, lines)


def _json_row(line: bytes | None, columns: Columns) -> Row:
    if line is None:
        return _LONG_LINE
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
        lines = _Lines(stream)
        numbered = enumerate((_decoded_line(line) for line in lines), start=1)
        rows: Iterator[Row] = (
            _LONG_LINE if line is None else {columns.id: str(number), columns.text: line}
            for number, line in _below_front_matter(numbered)
            if line is None or line.strip()
        )
        yield from _batches(rows, size, lines)


def _decoded_line(line: bytes | None) -> str | None:
    return None if line is None else line.decode("utf-8", "surrogateescape").rstrip("\r\n")


def _below_front_matter(lines: Iterator[tuple[int, str | None]]) -> Iterator[tuple[int, str | None]]:
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
    return gzip.open(path, "rb") if is_packed(path) else path.open("rb")  # type: ignore[return-value]


def _check_columns(found: Sequence[str], columns: Columns, path: Path) -> None:
    if not found:
        raise ClaimkindError(f"input={path} has no header, expected one with the column {columns.text!r}: check it")
    if columns.text not in found:
        raise ClaimkindError(
            f"input={path} has no column {columns.text!r}, expected one of its columns {', '.join(found)}: "
            "give text_column=…"
        )
    twice = [name for name, count in Counter(found).items() if count > 1]
    if twice:
        raise ClaimkindError(f"input={path} has two columns {twice[0]!r}, expected different names: rename one")


def _checked(batch: list[Row], name: str, columns: Columns, first: int, prefix: str, *, own_ids: bool) -> Chunk:
    rows, rejected = [], []
    for number, row in enumerate(batch, start=first):
        problem = row if isinstance(row, str) else _problem(row, columns.text)
        if isinstance(row, str) or problem:
            rejected.append(Rejected(name, number, str(problem)))
            continue
        text, own = str(row[columns.text]), row.get(columns.id)
        key = str(own) if own is not None and own_ids else f"{prefix}{number if own is None else own}"
        others = {_renamed(name): value for name, value in row.items() if name not in columns}
        rows.append({"id": key, "text": text, **others})
    return _chunk(rows, rejected)


@functools.lru_cache(1024)
def _renamed(column: str) -> str:
    """What a further column is called beside our own two."""
    return rename_reserved_columns([column], ("id", "text"))[column]


def _problem(row: dict[str, Any], text_column: str) -> str | None:
    """Why a row cannot be scored, or not be written again."""
    text = row.get(text_column)
    if type(text) in _KINDS:
        return f"no text but {_KINDS[type(text)]}"
    if text is None or text != text or not str(text).strip():  # nothing, not a number, or blank
        return "no text"
    if len(str(text)) > LONGEST:
        return _TOO_LONG
    names = "".join(row)
    try:
        return "no valid UTF-8" if any(map(_undecoded, row.values())) or _undecoded(names) else None
    except RecursionError:
        return "nested too deep"


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
