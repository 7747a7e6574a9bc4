"""Whatever stands in the input, good rows are read and bad ones are set aside with a reason."""

import gzip
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from claimkind.errors import ClaimkindError
from claimkind.scoring.engine import regroup
from claimkind.scoring.readers import LONGEST, Chunk, Columns, Rejected, count_rows, read_documents, read_rows

COLUMNS = Columns("text", "id")


def read(path, size=100, columns=COLUMNS):
    chunks = list(read_rows(path, path.name, columns, size))
    rows = pd.concat([chunk.rows for chunk in chunks], ignore_index=True)
    return rows, {entry.row: entry.reason for chunk in chunks for entry in chunk.rejected}


def test_bad_json_lines_are_set_aside(tmp_path):
    lines = [
        b'{"text": "Sun.", "n": 1}', b'{"text": ', b'{"body": "x"}', b'{"text": null}', b'{"text": "  "}', b"[1]",
        b'{"text": "caf\xe9"}', json.dumps({"text": "x" * (LONGEST + 9)}).encode(), b'{"text": "Rain.", "n": 2}',
        b'{"text": "Half an emoji: \\ud83d"}', b'{"text": "Snow.", "by": ["caf\\udce9"]}', b"[" * 100_000,
    ]  # fmt: skip
    (tmp_path / "in.jsonl").write_bytes(b"\n".join(lines))
    rows, rejected = read(tmp_path / "in.jsonl", size=2)
    assert rows[["id", "text", "n"]].to_numpy().tolist() == [["0", "Sun.", 1], ["8", "Rain.", 2]]
    assert rejected == {
        1: "no JSON", 2: "no JSON object with 'text'", 3: "no text", 4: "no text", 5: "no JSON object with 'text'",
        6: "no valid UTF-8", 7: "longer than 1,000,000 bytes", 9: "no valid UTF-8", 10: "no valid UTF-8", 11: "no JSON",
    }  # fmt: skip


def test_bad_csv_rows_are_set_aside(tmp_path):
    long = b"e," + b"x" * (10 * LONGEST) + b"\n"
    content = b'id,text\na,"It\nrains."\nb\nc,caf\xe9\nd,\n' + long + b"f,Sun.\n"
    (tmp_path / "in.csv").write_bytes(content)
    rows, rejected = read(tmp_path / "in.csv")
    assert rows.to_numpy().tolist() == [["a", "It\nrains."], ["f", "Sun."]]
    assert rejected == {
        1: "1 fields, expected 2", 2: "no valid UTF-8", 3: "no text",
        4: "no CSV row: field larger than field limit (1000000)",
    }  # fmt: skip


def test_what_is_wrong_beside_the_text_sets_a_row_aside_too(tmp_path):
    (tmp_path / "in.csv").write_bytes(b"text,author\nSun.,Ren\xe9\nFog.,Eve\n")
    rows, rejected = read(tmp_path / "in.csv")
    assert rows["text"].tolist() == ["Fog."]
    assert rejected == {0: "no valid UTF-8"}


def test_bad_parquet_rows_are_set_aside(tmp_path):
    text = pa.Array.from_buffers(
        pa.string(), 3, [None, pa.array([0, 4, 8, 12], pa.int32()).buffers()[1], pa.py_buffer(b"Sun.caf\xe9Fog.")]
    )
    pq.write_table(pa.table({"text": text, "n": [1, 2, 3]}), tmp_path / "in.parquet")
    rows, rejected = read(tmp_path / "in.parquet")
    assert rows.to_numpy().tolist() == [["0", "Sun.", 1], ["2", "Fog.", 3]]
    assert rejected == {1: "no valid UTF-8"}
    pd.DataFrame({"id": ["a", "b"], "text": ["Sun.", None]}).to_parquet(tmp_path / "gap.parquet")
    assert read(tmp_path / "gap.parquet")[1] == {1: "no text"}


@pytest.mark.parametrize("kind", ["csv", "jsonl", "txt"])
def test_packed_files_are_read_as_they_are(kind, tmp_path):
    content = {"csv": "text\nSun.\n", "jsonl": '{"text": "Sun."}\n', "txt": "Sun.\n"}[kind]
    path = tmp_path / f"in.{kind}.gz"
    path.write_bytes(gzip.compress(content.encode()))
    assert read(path)[0]["text"].tolist() == ["Sun."]
    path.write_bytes(gzip.compress(content.encode())[:-9])
    with pytest.raises(ClaimkindError, match=r"in\..*\.gz cannot be read \(Compressed file ended"):
        read(path)


def test_lines_below_front_matter_keep_their_numbers(tmp_path):
    (tmp_path / "in.md").write_bytes(b"---\ntitle: T\n---\nSun.\n\ncaf\xe9\nRain.\n")
    rows, rejected = read(tmp_path / "in.md")
    assert rows.to_numpy().tolist() == [["in.md:4", "Sun."], ["in.md:7", "Rain."]]
    assert rejected == {1: "no valid UTF-8"}


def test_a_document_that_is_no_text_is_set_aside(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
    (tmp_path / "b.txt").write_text(" \n")
    (tmp_path / "c.txt").write_text("x" * (LONGEST + 1))
    found = [read_documents(tmp_path / name, name).rejected for name in ("a.txt", "b.txt", "c.txt")]
    assert found == [
        [Rejected("a.txt", 0, "no valid UTF-8")], [Rejected("b.txt", 0, "no text")],
        [Rejected("c.txt", 0, "longer than 1,000,000 characters")],
    ]  # fmt: skip


def test_a_table_without_the_column_is_one_sentence(tmp_path):
    (tmp_path / "in.csv").write_text("id,body\n1,Sun.\n")
    with pytest.raises(ClaimkindError, match=r"has no column 'text', expected one of its columns id, body: give text_"):
        read(tmp_path / "in.csv")


def test_rows_are_counted_without_reading_them(tmp_path):
    pd.DataFrame({"text": ["a"] * 7}).to_parquet(tmp_path / "in.parquet")
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n' * 5)
    assert (count_rows(tmp_path / "in.parquet"), count_rows(tmp_path / "in.jsonl")) == (7, 5)


def test_chunks_are_regrouped_to_one_size_in_order():
    def rows(first, end):
        return pd.DataFrame({"id": [str(n) for n in range(first, end)], "text": "x"})

    bad = [Rejected("f", number, "no text") for number in range(2)]
    chunks = [Chunk(rows(0, 2), []), Chunk(rows(2, 2), [bad[0]]), Chunk(rows(2, 9), []), Chunk(rows(9, 10), [bad[1]])]
    grouped = list(regroup(chunks, 4))
    assert [len(chunk.rows) for chunk in grouped] == [4, 4, 2]
    assert [name for chunk in grouped for name in chunk.rows["id"]] == [str(n) for n in range(10)]
    assert [entry for chunk in grouped for entry in chunk.rejected] == bad


def test_of_a_parquet_file_a_few_row_groups_are_held(tmp_path):
    groups = [
        [f"{number} {'rain ' * 40}" for number in range(first, first + 2_000)] for first in range(0, 60_000, 2_000)
    ]
    rows = pa.table({"text": [text for group in groups for text in group]})
    pq.write_table(rows, tmp_path / "in.parquet", row_group_size=2_000, compression="none")
    del rows
    before = pa.total_allocated_bytes()
    held = max(pa.total_allocated_bytes() - before for _ in read_rows(tmp_path / "in.parquet", "in", COLUMNS, 2_000))
    assert held < 6 * sum(map(len, groups[0])), "memory grows with the file"


def test_rows_are_numbered_through_all_row_groups(tmp_path):
    pq.write_table(pa.table({"text": ["a", "b", "c", "d", "e"]}), tmp_path / "in.parquet", row_group_size=2)
    chunks = list(read_rows(tmp_path / "in.parquet", "in", COLUMNS, 100))
    assert [key for chunk in chunks for key in chunk.rows["id"]] == ["0", "1", "2", "3", "4"]
