"""What is scored: the rows of tables and the sentences of documents, in chunks of one size."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from claimkind.errors import ClaimkindError
from claimkind.io.base import TableOptions
from claimkind.io.columns import Columns, rename_reserved_columns
from claimkind.io.input_file import InputFile
from claimkind.io.readers import holds_documents, read_document, read_rows
from claimkind.io.rows import Chunk, Rejected
from claimkind.text.blocks import SENTENCE, ParsedText
from claimkind.text.plain import parse_plain
from claimkind.text.shapes import labelled_passages

SPLIT_COLUMNS = ("document", "sentence", "paragraph", "start", "end", "kind")
"""The columns that tell where a sentence stands in its document, and whether it is one: see `blocks.KINDS`."""
WANTED_KINDS = ("sentences", "all")
UNITS = ("auto", "document", "sentence")
LINE_BREAKS = ("auto", "keep", "join")
MOST_CHARACTERS = 1 << 24
"""Characters of a chunk, so that what is in memory does not grow with the input."""
_NUMBER = 8  # characters that a number counts for


def check_options(*, kinds: str, line_breaks: str) -> None:
    """Check what is labelled in documents, and what a line break in them is; see `ReadOptions`.

    Raises:
        ClaimkindError: one is unknown.
    """
    if line_breaks not in LINE_BREAKS:
        raise ClaimkindError(f"line_breaks={line_breaks} is unknown, expected one of {', '.join(LINE_BREAKS)}")
    if kinds not in WANTED_KINDS:
        raise ClaimkindError(f"kinds={kinds} is unknown, expected one of {', '.join(WANTED_KINDS)}")


@dataclass(frozen=True)
class ReadOptions:
    """How an input is read."""

    unit: str = "auto"
    """`document` splits every text into sentences, `sentence` none; `auto` splits text files and no tables."""
    text_column: str = "text"
    id_column: str = "id"
    chunk_size: int = 8192
    """Rows in a chunk."""
    separator: str | None = None
    """Between the cells of a CSV file; None detects it."""
    line_breaks: str = "auto"
    """What a line break within a paragraph is, for texts that are split: see `join_hard_wraps`."""
    kinds: str = "sentences"
    """`sentences` labels the sentences of documents only, `all` their headings, items of lists and so on too."""

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ClaimkindError: one is out of range.
        """
        if self.unit not in UNITS:
            raise ClaimkindError(f"unit={self.unit} is unknown, expected one of {', '.join(UNITS)}")
        check_options(kinds=self.kinds, line_breaks=self.line_breaks)
        if self.chunk_size < 1:
            raise ClaimkindError(f"chunk_size={self.chunk_size}, expected 1 or more rows")

    def splits(self, file: InputFile) -> bool:
        """Whether the texts of a file are split into sentences."""
        return self.unit == "document" or (self.unit == "auto" and holds_documents(file))


def splits_any(files: Sequence[InputFile], options: ReadOptions) -> bool:
    """Whether any text of an input is split into sentences."""
    return any(map(options.splits, files))


def read_units(
    files: Sequence[InputFile], options: ReadOptions, *, joined: Counter[str] | None = None
) -> Iterator[Chunk]:
    """Read the rows of tables and the sentences of documents.

    Rows have the columns `text` and `id`, or `text` and `SPLIT_COLUMNS` where texts are split, and the other columns of
    the input. Where any text is split, the rows of tables have the kind `sentence`.

    Args:
        files: from `claimkind.io.files.find_files`.
        options: how they are read.
        joined: counts, by file, the documents of which line breaks are read as blanks.

    Raises:
        ClaimkindError: a file that is the whole input cannot be read, or has no such column.
    """
    any_split = splits_any(files, options)
    for file in files:
        for (rows, rejected), parsed in _chunks(file, options):
            if options.splits(file):
                count = sum(document.is_joined for document in parsed)
                if joined is not None and count:
                    joined[file.name] += count
                rows = split_documents(rows, parsed)
            elif any_split:  # the output has these columns
                rows = rows.rename(columns=rename_reserved_columns(rows.columns, SPLIT_COLUMNS)).assign(kind=SENTENCE)
            yield Chunk(rows, rejected)


def _chunks(file: InputFile, options: ReadOptions) -> Iterator[tuple[Chunk, list[ParsedText]]]:
    """The chunks of a file, each with the parsed texts of its rows if they are to be split."""
    if options.splits(file) and holds_documents(file):
        chunk, parsed = read_document(file, options.line_breaks)
        yield chunk, [parsed] if len(chunk.rows) else []
        return
    columns = Columns(options.text_column, options.id_column)
    for chunk in read_rows(file, columns, TableOptions(options.chunk_size, options.separator)):
        texts = list(chunk.rows["text"]) if options.splits(file) else []
        yield chunk, [parse_plain(text, options.line_breaks) for text in texts]


def split_documents(documents: pd.DataFrame, parsed: Sequence[ParsedText]) -> pd.DataFrame:
    """Split documents into sentences, headings, items of lists and so on.

    Args:
        documents: with a column `id`; a column `text` is not used.
        parsed: the text of each document with its blocks.

    Returns:
        A row for each sentence: `document`, `sentence` and `paragraph` (their numbers from 0), `start`, `end`, `kind`,
        `text`, and the further columns of the document.
    """
    rows, origins = [], []
    for place, (name, document) in enumerate(zip(documents["id"], parsed, strict=True)):
        for sentence in _sentences(name, document):
            rows.append(sentence)
            origins.append(place)
    # As objects: next to rows of tables, which have no offsets, pandas would make fractions of them.
    sentences = pd.DataFrame(rows, columns=[*SPLIT_COLUMNS, "text"], dtype=object)
    others = documents.drop(columns=["id", "text"], errors="ignore")
    others = others.rename(columns=rename_reserved_columns(others.columns, SPLIT_COLUMNS)).iloc[origins]
    return pd.concat([sentences, others.reset_index(drop=True)], axis=1)


def _sentences(name: str, document: ParsedText) -> Iterator[tuple[str, int, int, int, int, str, str]]:
    paragraph = 0
    for number, passage in enumerate(labelled_passages(document)):
        paragraph += number > 0 and passage.begins_paragraph
        yield name, number, paragraph, passage.start, passage.end, passage.kind, passage.text


def is_sentence(rows: pd.DataFrame, *, split: bool) -> np.ndarray:
    """Which rows are sentences (n,).

    Args:
        rows: of `read_units`.
        split: whether any text of the input is split; otherwise all rows are, and a column `kind` is the input's own.
    """
    if not split or rows.empty:
        return np.ones(len(rows), dtype=bool)
    return (rows["kind"] == SENTENCE).to_numpy(dtype=bool)


def regroup(chunks: Iterable[Chunk], size: int) -> Iterator[Chunk]:
    """Join small chunks and split large ones, so that each but the last holds `size` rows.

    A chunk holds fewer where its rows are long, or where many are rejected, so that memory does not grow with the
    input.
    """
    rows: list[pd.DataFrame] = []
    rejected: list[Rejected] = []
    count = characters = 0
    for chunk in chunks:
        rejected += chunk.rejected
        for start in range(0, len(chunk.rows), size):
            rows.append(chunk.rows.iloc[start : start + size])
            count += len(rows[-1])
            characters += characters_of(rows[-1])
            if count >= size:
                joined = pd.concat(rows, ignore_index=True)
                yield Chunk(joined[:size], rejected)
                rows, rejected, count = [joined[size:]], [], count - size
                characters = characters_of(rows[0])
        if len(rejected) >= size or characters >= MOST_CHARACTERS:
            yield Chunk(_joined(rows), rejected)
            rows, rejected, count, characters = [], [], 0, 0
    if count or rejected:
        yield Chunk(_joined(rows), rejected)


def _joined(rows: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=["id", "text"], dtype=object)


def characters_of(rows: pd.DataFrame) -> int:
    """About how many characters all columns hold."""
    return sum(sum(map(_length_of, rows[name])) for name in rows)


def _length_of(cell: Any) -> int:
    if isinstance(cell, str | bytes):
        return len(cell)
    return len(str(cell)) if isinstance(cell, dict | list) else _NUMBER
