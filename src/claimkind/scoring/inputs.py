"""What is scored: the rows of tables and the sentences of documents, in chunks of one size."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from claimkind.errors import ClaimkindError
from claimkind.io.base import TableOptions
from claimkind.io.columns import Columns, rename_reserved_columns
from claimkind.io.input_file import InputFile
from claimkind.io.readers import holds_documents, read_document, read_rows
from claimkind.io.rows import Chunk, Rejected
from claimkind.text.line_breaks import join_hard_wraps
from claimkind.text.sentences import split_sentences
from claimkind.text.visible import is_blank

SPLIT_COLUMNS = ("document", "sentence", "paragraph", "start", "end")
"""The columns that tell where a sentence stands in its document."""
UNITS = ("auto", "document", "sentence")
LINE_BREAKS = ("auto", "keep", "join")
MOST_CHARACTERS = 1 << 24
"""Characters of a chunk, so that what is in memory does not grow with the input."""
_NUMBER = 8  # characters that a number counts for


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

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ClaimkindError: one is out of range.
        """
        if self.unit not in UNITS:
            raise ClaimkindError(f"unit={self.unit} is unknown, expected one of {', '.join(UNITS)}")
        if self.line_breaks not in LINE_BREAKS:
            raise ClaimkindError(f"line_breaks={self.line_breaks} is unknown, expected one of {', '.join(LINE_BREAKS)}")
        if self.chunk_size < 1:
            raise ClaimkindError(f"chunk_size={self.chunk_size}, expected 1 or more rows")

    def splits(self, file: InputFile) -> bool:
        """Whether the texts of a file are split into sentences."""
        return self.unit == "document" or (self.unit == "auto" and holds_documents(file))


def read_units(
    files: Sequence[InputFile], options: ReadOptions, *, joined: Counter[str] | None = None
) -> Iterator[Chunk]:
    """Read the rows of tables and the sentences of documents.

    Rows have the columns `text` and `id`, or `text` and `SPLIT_COLUMNS` where texts are split, and the other columns of
    the input.

    Args:
        files: from `claimkind.io.files.find_files`.
        options: how they are read.
        joined: counts, by file, the documents of which line breaks are read as blanks.

    Raises:
        ClaimkindError: a file that is the whole input cannot be read, or has no such column.
    """
    any_split = any(map(options.splits, files))
    for file in files:
        for rows, rejected in _chunks(file, options):
            if options.splits(file):
                rows = _split(rows, options.line_breaks, file.name, joined)
            elif any_split:  # the output has these columns
                rows = rows.rename(columns=rename_reserved_columns(rows.columns, SPLIT_COLUMNS))
            yield Chunk(rows, rejected)


def _chunks(file: InputFile, options: ReadOptions) -> Iterable[Chunk]:
    if options.splits(file) and holds_documents(file):
        return (read_document(file),)
    columns = Columns(options.text_column, options.id_column)
    return read_rows(file, columns, TableOptions(options.chunk_size, options.separator))


def _split(documents: pd.DataFrame, line_breaks: str, file: str, joined: Counter[str] | None) -> pd.DataFrame:
    texts = [join_hard_wraps(text, line_breaks) for text in documents["text"]]
    count = sum(text != original for text, original in zip(texts, documents["text"], strict=True))
    if joined is not None and count:
        joined[file] += count
    return split_documents(documents.assign(text=pd.Series(texts, documents.index, dtype=object)))


def split_documents(documents: pd.DataFrame) -> pd.DataFrame:
    """Split documents into sentences.

    Args:
        documents: with the columns `id` and `text`.

    Returns:
        A row for each sentence: `document`, `sentence` and `paragraph` (their numbers from 0), `start`, `end`, `text`,
        and the further columns of the document.
    """
    rows, origins = [], []
    for place, (name, text) in enumerate(zip(documents["id"], documents["text"], strict=True)):
        for sentence in _sentences(name, text):
            rows.append(sentence)
            origins.append(place)
    # As objects: next to rows of tables, which have no offsets, pandas would make fractions of them.
    sentences = pd.DataFrame(rows, columns=[*SPLIT_COLUMNS, "text"], dtype=object)
    others = documents.drop(columns=["id", "text"])
    others = others.rename(columns=rename_reserved_columns(others.columns, SPLIT_COLUMNS)).iloc[origins]
    return pd.concat([sentences, others.reset_index(drop=True)], axis=1)


def _sentences(name: str, text: str) -> Iterator[tuple[str, int, int, int, int, str]]:
    paragraph = number = before = 0
    for sentence in split_sentences(text):
        if is_blank(sentence.text):
            continue
        # A line break in the gap before a sentence begins a paragraph.
        paragraph += number > 0 and "\n" in text[before : sentence.start]
        yield name, number, paragraph, *sentence
        before = sentence.end
        number += 1


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
