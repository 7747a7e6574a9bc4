"""Parquet files."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from claimkind.errors import first_line
from claimkind.io.base import Format, Output, Row, Table, TableOptions, UnreadableError
from claimkind.io.input_file import InputFile
from claimkind.io.lines import HELD
from claimkind.io.values import all_as_text

_PROBED_ROWS = 64  # by which the memory that a row takes is estimated
_DEEPEST = 32  # levels of lists and objects; pyarrow reads no file with very many
_CODEC = "zstd"


def read(file: InputFile, options: TableOptions) -> Table:
    """Read the rows of all row groups; see `Format.read`."""
    return Table(pq.read_schema(file.path).names, _rows(file.path, options.batch_size))


def _rows(path: Path, size: int) -> Iterator[list[Row]]:
    rows = 0
    with pq.ParquetFile(path) as file:
        # Group by group: pyarrow frees what it read of a group only when an iteration ends.
        for group in range(file.num_row_groups):
            at_once = max(1, min(size, HELD // _bytes_per_row(file, group)))
            for read in file.iter_batches(batch_size=at_once, row_groups=[group]):
                batch = _with_times_as_text(read)
                rows += len(batch)
                yield _rows_of(batch)
        stated = file.metadata.num_rows
    if rows != stated:  # of a damaged file, pyarrow may read fewer rows without an error
        raise UnreadableError(f"states {stated:,} rows and holds {rows:,}: fetch it again")


def _rows_of(batch: pa.RecordBatch) -> list[Row]:
    try:
        return [Row(values) for values in batch.to_pylist()]
    except (ValueError, OverflowError):
        return [_row_of(batch.slice(number, 1)) for number in range(len(batch))]


def _with_times_as_text(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Times of day in nanoseconds as text, since Python's have microseconds only."""
    for place, field in enumerate(batch.schema):
        if field.type == pa.time64("ns"):
            batch = batch.set_column(place, field.name, batch[place].cast(pa.string()))
    return batch


def _bytes_per_row(file: pq.ParquetFile, group: int) -> int:
    """About how much memory a row takes: a text that many rows repeat is stored once in the file."""
    about = file.metadata.row_group(group)
    stored = about.total_byte_size // max(1, about.num_rows)
    probe = next(file.iter_batches(batch_size=_PROBED_ROWS, row_groups=[group]), None)
    return max(stored, probe.nbytes // max(1, len(probe)) if probe else 0) + 1


def _row_of(batch: pa.RecordBatch) -> Row:
    try:
        return Row(batch.to_pylist()[0])
    except UnicodeDecodeError:
        return Row({}, "no valid UTF-8")
    except (ValueError, OverflowError) as error:  # a date after the year 9999, for example
        return Row({}, f"cannot be read ({first_line(error)})")


def count(file: InputFile) -> int:
    """The number of rows, which the file states."""
    return int(pq.read_metadata(file.path).num_rows)


def write_part(rows: pd.DataFrame, path: Path) -> None:
    """Write rows; see `Output.write`."""
    pq.write_table(pa.table({name: _array(rows[name]) for name in rows}), path, compression=_CODEC)


def _array(values: pd.Series) -> pa.Array | pa.ChunkedArray:
    try:
        array = pa.Array.from_pandas(values)
        if pa.types.is_temporal(array.type) and any(map(_has_nanoseconds, values)):
            array = pa.array(values, _in_nanoseconds(array.type))
        return _text_array(values) if _is_unwritable(array.type) else array
    except (pa.ArrowException, OverflowError):  # a column of JSON lines may hold numbers and words
        return _text_array(values)


def _has_nanoseconds(value: Any) -> bool:
    """Whether a value is finer than microseconds, which pyarrow would cut it to."""
    if isinstance(value, pd.Timestamp):
        return value.nanosecond != 0
    return isinstance(value, pd.Timedelta) and value.nanoseconds != 0


def _in_nanoseconds(kind: pa.DataType) -> pa.DataType:
    return pa.timestamp("ns", kind.tz) if pa.types.is_timestamp(kind) else pa.duration("ns")


def _is_unwritable(kind: pa.DataType, depth: int = 0) -> bool:
    """Whether a type is, or holds, what parquet cannot: an object without a field, or too many levels."""
    inner = [kind.field(number).type for number in range(kind.num_fields)]
    return (
        depth > _DEEPEST
        or (pa.types.is_struct(kind) and not inner)
        or any(_is_unwritable(field, depth + 1) for field in inner)
    )


def _text_array(values: Iterable[Any]) -> pa.Array:
    return pa.array(all_as_text(values), pa.large_string())


def read_part(path: Path) -> pd.DataFrame:
    """Read a part; see `Output.read`."""
    return pd.read_parquet(path)


def join(parts: Sequence[Path], path: Path) -> None:
    """Join parts; see `Output.join`."""
    schema = _common_schema([pq.read_schema(part).remove_metadata() for part in parts])
    with pq.ParquetWriter(path, schema, compression=_CODEC) as writer:
        for part in parts:
            table = pq.read_table(part)
            columns = [_column(table, field) for field in schema]
            writer.write_table(pa.table(columns, schema=schema))


def _common_schema(parts: Sequence[pa.Schema]) -> pa.Schema:
    """A schema that fits all parts: in some a column may hold nothing but empty cells, or words for numbers."""
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
        return _text_array(values.to_pylist())
    # Whole numbers next to fractions may be too large to be exact; lists of nothing but null pyarrow casts wrongly.
    cast = _cast(values, field.type, safe=False)
    return pa.array(values.to_pylist(), field.type) if cast is None else cast


def _cast(values: pa.ChunkedArray, kind: pa.DataType, *, safe: bool) -> pa.ChunkedArray | None:
    try:
        cast = values.cast(kind, safe=safe)
        cast.validate()
    except pa.ArrowException:
        return None
    return cast


FORMAT = Format(read, output=Output(write_part, read_part, join), count=count, compressible=False)
