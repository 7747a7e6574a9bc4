"""Whatever the bytes of a file, each of its rows is scored or rejected, and nothing but one sentence is raised."""

import contextlib
import csv
import itertools
import json
import os
import random

import pandas as pd
import pyarrow as pa
import pytest

from claimkind.errors import ClaimkindError
from claimkind.io.base import TableOptions
from claimkind.io.columns import Columns
from claimkind.io.input_file import InputFile
from claimkind.io.readers import read_document, read_rows
from claimkind.text.shapes import labelled_passages
from tests.unit.io.documents import write_docx, write_pdf

# How many files of each kind are made; INPUTS=10000 pytest tests/faults/test_readers.py takes some minutes.
INPUTS = int(os.environ.get("INPUTS", "200"))
TABLES = [".csv", ".tsv", ".jsonl", ".json", ".parquet", ".xlsx"]
DOCUMENTS = [".txt", ".md", ".html", ".docx", ".pdf"]
MARKS = ["Sun.", '"', "'", ",", ";", "\t", "|", "\n", "\r\n", "\r", "\\", "é"]
PIECES = [
    *MARKS, "\u200b", "\x00", "{", "}", "[", "]", ":", "null", '"text"', "text", "id", " ", "😀", "\ufeff", "sep=;",
    "<!", "<![", "]]>", "<?", "-->", "</", "{{<", "+++", "---", "- ", "1",
    "NaN", "1e999", "\\ud83d", "# ", "> ", "<p>", "</p>", "<td>", "<b", "&amp;", "**", "[a](", "```",
]  # fmt: skip
BYTES = [b"\xe9", b"\xff\xfe", b"\xfe\xff", b"\x00", b"\xef\xbb\xbf", b"\x80", b"\xc3"]


def read(path):
    """The texts of all rows, and what is rejected."""
    chunks = list(read_rows(InputFile(path, path.name, alone=False), Columns(), TableOptions(3)))
    assert all(len(chunk.rows.columns) == len(set(chunk.rows.columns)) for chunk in chunks)
    return [text for chunk in chunks for text in chunk.rows["text"]], [
        entry for chunk in chunks for entry in chunk.rejected
    ]


def soup(chance):
    parts = [chance.choice(PIECES).encode("utf-8", "surrogatepass") for _ in range(chance.randrange(40))]
    if chance.random() < 0.2:
        parts.insert(chance.randrange(len(parts) + 1), chance.choice(BYTES))
    return b"".join(parts)


@pytest.mark.parametrize("ending", [*TABLES, ".csv.gz", *DOCUMENTS])
def test_any_bytes_are_rows_or_a_reason(ending, tmp_path):
    chance = random.Random(ending)  # noqa: S311 - for tests
    path = tmp_path / f"in{ending}"
    for _ in range(INPUTS):
        head = chance.choice([b"", b"id,text\n", b"text\n", b"id;text\r\n", b"id\ttext\r"])
        path.write_bytes(head + soup(chance))
        _, rejected = read(path)
        assert all(entry.reason for entry in rejected)
        if ending in DOCUMENTS:
            check_document(path)


def check_document(path):
    """Check that a document is one row with passages, or one rejection."""
    chunk, parsed = read_document(InputFile(path, path.name))
    assert len(chunk.rows) + len(chunk.rejected) == 1
    places = [(passage.start, passage.end) for passage in labelled_passages(parsed)]
    assert len(places) > 0 or chunk.rejected
    assert all(0 <= start < end <= len(parsed.text) for start, end in places)


def random_text(chance, marks):
    return "".join(chance.choice([*marks, "a", "语", "Rain "]) for _ in range(chance.randrange(1, 12)))


def write_csv(rows, path, chance):
    ends = chance.choice(["\n", "\r\n", "\r"])
    # pandas does not quote a line end that is not its own.
    has_ends = rows["text"].str.contains("[\r\n]").any()
    quoting = csv.QUOTE_ALL if has_ends else chance.choice([csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
    rows.to_csv(path, index=False, sep=chance.choice([",", ";", "\t", "|"]), quoting=quoting, lineterminator=ends)


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".json", ".parquet"])
def test_rows_in_are_rows_scored_and_rows_rejected(ending, tmp_path):
    chance = random.Random(ending)  # noqa: S311 - for tests
    path = tmp_path / f"in{ending}"
    for _ in range(INPUTS):
        texts = [random_text(chance, MARKS) for _ in range(chance.randrange(1, 9))]
        rows = pd.DataFrame({"id": [str(n) for n in range(len(texts))], "text": texts})
        if ending == ".csv":
            write_csv(rows, path, chance)
        elif ending == ".parquet":
            rows.to_parquet(path)
        else:
            records = rows.to_dict("records")
            path.write_text(json.dumps(records) if ending == ".json" else "\n".join(map(json.dumps, records)))
        scored, rejected = read(path)
        assert scored == [text for text in texts if text.strip()], (path.read_bytes(), rejected)
        assert [entry.reason for entry in rejected] == ["no text"] * (len(texts) - len(scored)), path.read_bytes()


def write_whole(path):
    """Write a file of a format with a structure that can be damaged."""
    sentences = [f"Sun {n}." for n in range(50)]
    if path.suffix == ".parquet":
        pa.parquet.write_table(pa.table({"text": sentences}), path)
    elif path.suffix == ".xlsx":
        pd.DataFrame({"text": sentences}).to_excel(path, index=False)
    elif path.suffix == ".docx":
        write_docx(path)
    else:
        write_pdf(path, [sentences[:30], sentences[30:]])


@pytest.mark.parametrize("ending", [".parquet", ".xlsx", ".docx", ".pdf"])
def test_any_damage_to_a_file_is_one_sentence(ending, tmp_path):
    chance = random.Random(ending)  # noqa: S311 - for tests
    path = tmp_path / f"in{ending}"
    write_whole(path)
    whole = path.read_bytes()
    for _ in range(INPUTS):
        damaged = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged[: chance.choice([len(damaged), chance.randrange(len(damaged))])])
        if ending in DOCUMENTS:
            check_document(path)
        try:
            list(read_rows(InputFile(path, path.name), Columns(), TableOptions()))
        except ClaimkindError as error:
            assert path.name in str(error) and "\n" not in str(error)


def test_no_changed_byte_of_a_parquet_file_loses_rows_without_a_word(tmp_path):
    path = tmp_path / "in.parquet"
    pa.parquet.write_table(pa.table({"text": [f"Sun {n}." for n in range(7)]}), path)
    whole = path.read_bytes()
    for place, changed in itertools.product(range(len(whole)), (1, 2, 0x7F)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ changed]) + whole[place + 1 :])
        with contextlib.suppress(ClaimkindError):
            scored, rejected = read(path)
            assert len(scored) + len(rejected) == 7 or rejected[-1].row is None, (place, changed)
