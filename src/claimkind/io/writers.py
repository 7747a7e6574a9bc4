"""Writing scored rows as parquet, CSV or JSON lines, by the file's ending: part by part, then as one file."""

import base64
import csv
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from claimkind.errors import ClaimkindError
from claimkind.labels import PROBABILITY_COLUMNS
from claimkind.manifest import atomic_write

_ENDINGS = (".parquet", ".csv", ".jsonl")
_PAGES = (".html", ".htm")
_PIECE = 1 << 20
_DEEPEST = 32  # levels of lists and objects; pyarrow reads no file of very many
_LONGEST_NAME = 200  # bytes; file systems have 255, and names beside it are longer
_NUMBERS = {"confidence": float, **dict.fromkeys(PROBABILITY_COLUMNS, float), "windows": int}


def check_output(path: Path) -> None:
    """Refuse an output that could not be written, before any work is done.

    Raises:
        ClaimkindError: its ending is unknown, its name too long, or it is a folder.
    """
    if path.suffix.lower() not in _ENDINGS:
        raise ClaimkindError(f"output={path} has an unknown ending, expected one of {', '.join(_ENDINGS)}: rename it")
    length = len(os.fsencode(path.name))
    if length > _LONGEST_NAME:
        raise ClaimkindError(
            f"output={path} has a name of {length} bytes, expected {_LONGEST_NAME} at most: shorten it"
        )
    _refuse_folder("output", path)


def check_report(path: Path) -> None:
    """Refuse a report that could not be written, before any work is done.

    Raises:
        ClaimkindError: its ending is none of HTML, it is a folder, or its folder cannot be made or written to.
    """
    make_folder(path.parent, f"report={path}")
    _refuse_folder("report", path)
    if path.suffix.lower() not in _PAGES:
        raise ClaimkindError(
            f"report={path} becomes a page of HTML, expected the ending {' or '.join(_PAGES)}: rename it"
        )
    if not os.access(path.parent, os.W_OK):
        raise ClaimkindError(
            f"report={path} cannot be written (no permission), expected a place for it: choose another"
        )


def _refuse_folder(setting: str, path: Path) -> None:
    if path.is_dir():
        raise ClaimkindError(f"{setting}={path} is a folder, expected a file: choose another name")


def make_folder(folder: Path, setting: str) -> None:
    """Make a folder, and those above it, if it is not there.

    Raises:
        ClaimkindError: it cannot be made, for the setting that asks for it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ClaimkindError(
            f"{setting} cannot be written ({error.strerror}), expected a place for it: choose another"
        ) from None


def write_part(rows: pd.DataFrame, path: Path) -> None:
    """Write rows to a file of their own, in the format of its ending."""
    with atomic_write(path) as draft:
        if path.suffix == ".parquet":
            pq.write_table(pa.table({name: _arrow(rows[name]) for name in rows}), draft, compression="zstd")
        elif path.suffix == ".csv":
            with draft.open("w", encoding="utf-8", newline="") as stream:
                _write_csv(rows.apply(_as_text_where, kinds=(dict, list, bytes)), stream, header=True)
        else:
            draft.write_text(_json_lines(rows), encoding="utf-8")


def _write_csv(rows: pd.DataFrame, stream: IO[str], *, header: bool) -> None:
    """Write rows; a carriage return, which readers take for the end of a row, makes pandas quote nothing by itself."""
    returns = any("\r" in str(name) or _holds_return(rows[name]) for name in rows)
    rows.to_csv(stream, index=False, header=header, quoting=csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL)


def _holds_return(values: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(values):
        return False
    return any(isinstance(value, str) and "\r" in value for value in values)


def _json_lines(rows: pd.DataFrame) -> str:
    """Rows as JSON lines. Not by pandas, which rounds to 15 decimal places and knows no number of more than 64 bits."""
    records = rows.astype(object).where(rows.notna(), None).to_dict("records")
    return "".join(_as_json(record) + "\n" for record in records)


def _as_json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
    except ValueError:  # JSON has no such numbers
        known = json.loads(json.dumps(value, default=_plain), parse_constant=lambda _: None)
        return json.dumps(known, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """What stands in JSON for a value that it has no kind of: bytes in base 64, dates in ISO 8601."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _arrow(values: pd.Series) -> pa.Array | pa.ChunkedArray:
    try:
        array = pa.Array.from_pandas(values)
        return _as_text(values) if _has_no_place(array.type) else array
    except (pa.ArrowException, OverflowError):  # JSON lines may hold numbers here and words there
        return _as_text(values)


def _has_no_place(kind: pa.DataType, depth: int = 0) -> bool:
    """Whether a type is, or holds, what parquet cannot: an object without a field, or levels beyond measure."""
    inner = [kind.field(number).type for number in range(kind.num_fields)]
    return (
        depth > _DEEPEST
        or (pa.types.is_struct(kind) and not inner)
        or any(_has_no_place(field, depth + 1) for field in inner)
    )


def _as_text(values: Iterable[Any]) -> pa.Array:
    return pa.array([_text_of(value) for value in values], pa.large_string())


def _text_of(value: Any) -> str | None:
    """A value of any kind as text: lists and objects as JSON, bytes in base 64."""
    if isinstance(value, bytes):
        return str(_plain(value))
    if isinstance(value, dict | list):
        return _as_json(value)
    return None if value is None or value != value else str(value)


def _as_text_where(values: pd.Series, kinds: tuple[type, ...]) -> pd.Series:
    """Values of the kinds that a format does not have as text; of bytes, some would pass for text, and others not."""
    if values.dtype != object or not any(isinstance(value, kinds) for value in values):
        return values
    return values.map(lambda value: _text_of(value) if isinstance(value, kinds) else value)


def read_part(path: Path) -> pd.DataFrame:
    """Read a part again: of text files only our numbers as numbers, whatever the rest looks like."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".csv":
        rows = _read_csv(path)
    else:
        lines = path.read_bytes().splitlines()
        rows = pd.DataFrame([json.loads(line) for line in lines], dtype=object)
    return rows.astype({name: kind for name, kind in _NUMBERS.items() if name in rows})


def join_parts(parts: Sequence[Path], path: Path) -> None:
    """Join parts, one after the other, into one file; columns that a part lacks are empty in its rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as draft:
        if path.suffix.lower() == ".parquet":
            _join_parquet(parts, draft)
        elif path.suffix.lower() == ".csv":
            _join_csv(parts, draft)
        else:
            _join_bytes(parts, draft)


def _join_parquet(parts: Sequence[Path], path: Path) -> None:
    schema = _schema_of([pq.read_schema(part).remove_metadata() for part in parts])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for part in parts:
            table = pq.read_table(part)
            columns = [_column(table, field) for field in schema]
            writer.write_table(pa.table(columns, schema=schema))


def _schema_of(parts: Sequence[pa.Schema]) -> pa.Schema:
    """A schema that the columns of all parts fit: a part may hold nothing but empty cells, or words for numbers."""
    fields: dict[str, pa.Field] = {}
    for field in (field for part in parts for field in part):
        known = fields.setdefault(field.name, field)
        try:
            merged = pa.unify_schemas([pa.schema([known]), pa.schema([field])], promote_options="permissive")
            fields[field.name] = merged.field(0)
        except pa.ArrowException:
            fields[field.name] = pa.field(field.name, pa.large_string())
    return pa.schema(fields.values())


def _column(table: pa.Table, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    if field.name not in table.column_names:
        return pa.nulls(len(table), field.type)
    values = table[field.name]
    if values.type == field.type:
        return values
    if (cast := _cast(values, field.type, safe=True)) is not None:
        return cast
    if pa.types.is_large_string(field.type):
        return _as_text(values.to_pylist())
    # Whole numbers beside fractions may be too large to be exact; lists of nothing but null pyarrow casts amiss.
    cast = _cast(values, field.type, safe=False)
    return pa.array(values.to_pylist(), field.type) if cast is None else cast


def _cast(values: pa.ChunkedArray, kind: pa.DataType, *, safe: bool) -> pa.ChunkedArray | None:
    try:
        cast = values.cast(kind, safe=safe)
        cast.validate()
    except pa.ArrowException:
        return None
    return cast


def _join_csv(parts: Sequence[Path], path: Path) -> None:
    headers = [_header_of(part) for part in parts]
    columns = list(dict.fromkeys(column for header in headers for column in header))
    if all(header == columns for header in headers) and not any("\n" in name or "\r" in name for name in columns):
        _join_bytes(parts, path, without_header=True)
        return
    with path.open("w", encoding="utf-8", newline="") as stream:
        for number, part in enumerate(parts):
            _write_csv(_read_csv(part).reindex(columns=columns), stream, header=number == 0)


def _header_of(part: Path) -> list[str]:
    with part.open(encoding="utf-8", newline="") as stream:
        return next(csv.reader(stream))


def _read_csv(part: Path) -> pd.DataFrame:
    """All cells as text, under the names that stand there: pandas would change those that are empty."""
    cells = pd.read_csv(part, dtype=str, keep_default_na=False, header=None)
    return cells[1:].set_axis(cells.iloc[0], axis="columns").reset_index(drop=True)


def _join_bytes(parts: Sequence[Path], path: Path, *, without_header: bool = False) -> None:
    with path.open("wb") as joined:
        for number, part in enumerate(parts):
            with part.open("rb") as stream:
                if without_header and number:
                    stream.readline()
                while piece := stream.read(_PIECE):
                    joined.write(piece)
