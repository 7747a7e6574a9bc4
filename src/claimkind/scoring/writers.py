"""Writing scored rows as parquet, CSV or JSON lines, by the file's ending: part by part, then as one file."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from claimkind.errors import ClaimkindError

_ENDINGS = (".parquet", ".csv", ".jsonl")
_PIECE = 1 << 20


def check_output(path: Path) -> None:
    """Refuse an output that could not be written, before any work is done.

    Raises:
        ClaimkindError: its ending is unknown, or it is a folder.
    """
    if path.suffix.lower() not in _ENDINGS:
        raise ClaimkindError(f"output={path} has an unknown ending, expected one of {', '.join(_ENDINGS)}: rename it")
    if path.is_dir():
        raise ClaimkindError(f"output={path} is a folder, expected a file: choose another name")


@contextlib.contextmanager
def whole_or_not_at_all(path: Path) -> Iterator[Path]:
    """A draft to write to, which becomes `path` only when the block ends well."""
    draft = path.with_name(f".{path.name}.part")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_part(rows: pd.DataFrame, path: Path) -> None:
    """Write rows to a file of their own, in the format of its ending."""
    with whole_or_not_at_all(path) as draft:
        if path.suffix == ".parquet":
            pq.write_table(_table(rows), draft, compression="zstd")
        elif path.suffix == ".csv":
            rows.to_csv(draft, index=False)
        else:
            rows.to_json(draft, orient="records", lines=True, force_ascii=False)


def _table(rows: pd.DataFrame) -> pa.Table:
    try:
        return pa.Table.from_pandas(rows, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # JSON lines may hold numbers here and words there
        mixed = [column for column in rows if rows[column].dtype == object]
        return pa.Table.from_pandas(rows.astype(dict.fromkeys(mixed, str)), preserve_index=False)


def read_part(path: Path) -> pd.DataFrame:
    """Read a part again."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".csv":
        return pd.read_csv(path, keep_default_na=False)
    return pd.read_json(path, lines=True) if path.stat().st_size else pd.DataFrame()


def join_parts(parts: Sequence[Path], path: Path) -> None:
    """Join parts, one after the other, into one file; columns that a part lacks are empty in its rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_or_not_at_all(path) as draft:
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
        except (pa.ArrowTypeError, pa.ArrowInvalid):
            fields[field.name] = pa.field(field.name, pa.large_string())
    return pa.schema(fields.values())


def _column(table: pa.Table, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    if field.name not in table.column_names:
        return pa.nulls(len(table), field.type)
    return table[field.name].cast(field.type)


def _join_csv(parts: Sequence[Path], path: Path) -> None:
    headers = [pd.read_csv(part, nrows=0).columns for part in parts]
    columns = list(dict.fromkeys(column for header in headers for column in header))
    if all(list(header) == columns for header in headers):
        _join_bytes(parts, path, without_header=True)
        return
    with path.open("w", encoding="utf-8", newline="") as stream:
        for number, part in enumerate(parts):
            rows = pd.read_csv(part, dtype=str, keep_default_na=False)
            rows.reindex(columns=columns).to_csv(stream, index=False, header=number == 0)


def _join_bytes(parts: Sequence[Path], path: Path, *, without_header: bool = False) -> None:
    with path.open("wb") as joined:
        for number, part in enumerate(parts):
            with part.open("rb") as stream:
                if without_header and number:
                    stream.readline()
                while piece := stream.read(_PIECE):
                    joined.write(piece)
