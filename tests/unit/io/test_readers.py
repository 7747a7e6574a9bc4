"""Good rows are read and bad rows are rejected with a reason, whatever the input holds."""

import gzip
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from claimkind.errors import ClaimkindError
from claimkind.io.base import TableOptions
from claimkind.io.columns import Columns
from claimkind.io.files import find_files
from claimkind.io.input_file import InputFile
from claimkind.io.lines import LONGEST_TEXT
from claimkind.io.readers import count_rows, read_document, read_rows
from claimkind.io.rows import Rejected

COLUMNS = Columns("text", "id")


def input_file(path, alone=True):
    return InputFile(path, path.name, alone)


def read(path, size=100, columns=COLUMNS):
    chunks = list(read_rows(input_file(path), columns, TableOptions(size)))
    rows = pd.concat([chunk.rows for chunk in chunks], ignore_index=True)
    return rows, {entry.row: entry.reason for chunk in chunks for entry in chunk.rejected}


def test_bad_json_lines_are_rejected(tmp_path):
    lines = [
        b'{"text": "Sun.", "n": 1}', b'{"text": ', b'{"body": "x"}', b'{"text": null}', b'{"text": "  "}', b"[1]",
        b'{"text": "caf\xe9"}', json.dumps({"text": "x" * (LONGEST_TEXT + 9)}).encode(), b'{"text": "Rain.", "n": 2}',
        b'{"text": "Half an emoji: \\ud83d"}', b'{"text": "Snow.", "by": ["caf\\udce9"]}', b"[" * 100_000,
        b'{"text": "Sun.", "by": ' + b"[" * 600 + b"]" * 600 + b"}", '{"text": "Café."}'.encode(),
    ]  # fmt: skip
    (tmp_path / "in.jsonl").write_bytes(b"\n".join(lines))
    rows, rejected = read(tmp_path / "in.jsonl", size=2)
    rows = rows.astype(object).where(rows.notna(), None)
    assert rows[["id", "text", "n"]].to_numpy().tolist() == [
        ["0", "Sun.", 1], ["8", "Rain.", 2], ["13", "Café.", None]
    ]  # fmt: skip
    assert rejected == {
        1: "no JSON", 2: "no column 'text'", 3: "no text", 4: "no text", 5: "no JSON object",
        6: "no valid UTF-8", 7: "longer than 1,000,000 characters: split it into several",
        9: "no valid UTF-8", 10: "no valid UTF-8",
        11: "no JSON", 12: "nested too deep",
    }  # fmt: skip


def test_bad_csv_rows_are_rejected(tmp_path):
    long = b"e," + b"x" * (10 * LONGEST_TEXT) + b"\n"
    content = b'id,text\na,"It\nrains."\nb\nc,caf\xe9\nd,\n' + long + "f,Café.\n".encode()
    (tmp_path / "in.csv").write_bytes(content)
    rows, rejected = read(tmp_path / "in.csv")
    assert rows.to_numpy().tolist() == [["a", "It\nrains."], ["f", "Café."]]
    assert rejected == {
        1: "1 fields, expected 2", 2: "no valid UTF-8", 3: "no text",
        4: "no CSV row: a line longer than 5,000,000 characters",
    }  # fmt: skip


def test_an_unclosed_quotation_mark_rejects_its_row_alone(tmp_path):
    ordinary = [f"{n},It rains." for n in range(100_000)]
    for unclosed in (7, 99_998):  # before the end of what is read at once, and before the end of the file
        lines = list(ordinary)
        lines[unclosed] = f'{unclosed},"It rains.'
        (tmp_path / "in.csv").write_text("id,text\n" + "\n".join(lines) + "\n")
        rows, rejected = read(tmp_path / "in.csv", size=8192)
        assert len(rows) == 99_999, "rows went with the one that is wrong"
        assert list(rejected) == [unclosed]
    (tmp_path / "in.csv").write_text('id,text\na,"Rain\nb,"Sun."\nc,Fog.\n')
    rows, rejected = read(tmp_path / "in.csv")
    assert rows.to_numpy().tolist() == [["b", "Sun."], ["c", "Fog."]]
    assert list(rejected) == [0]


def test_long_rows_are_read_whole_or_rejected(tmp_path):
    emoji, letters = "\U0001f600" * 600_000, "語" * 700_000  # of four and three bytes
    (tmp_path / "in.txt").write_text(f"{emoji}\n{'x' * (6 * LONGEST_TEXT)}\nSun.\n")
    rows, rejected = read(tmp_path / "in.txt")
    assert rows["text"].tolist() == [emoji, "Sun."]
    assert rejected == {1: "a line longer than 5,000,000 characters"}
    (tmp_path / "in.csv").write_text(f"a,text,b\n{'x' * 900_000},{letters},{'x' * 900_000}\n")
    rows, rejected = read(tmp_path / "in.csv")
    assert (rows["text"].tolist(), rejected) == ([letters], {})


def test_long_rows_are_read_a_few_at_a_time(tmp_path):
    texts = [f"{n} {'x' * 900_000}" for n in range(20)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    pd.DataFrame({"text": texts}).to_parquet(tmp_path / "in.parquet")
    for name in ("in.jsonl", "in.parquet"):
        chunks = list(read_rows(input_file(tmp_path / name), COLUMNS, TableOptions(100)))
        assert max(len(chunk.rows) for chunk in chunks) < 15, f"all of {name} is held at once"
        assert [text for chunk in chunks for text in chunk.rows["text"]] == texts


def test_a_text_that_many_rows_repeat_counts_for_each(tmp_path):
    repeated = pa.array(["x" * 100_000]).take(pa.array([0] * 1_000))
    pq.write_table(pa.table({"text": ["Sun."] * 1_000, "page": repeated}), tmp_path / "in.parquet")
    sizes = [len(chunk.rows) for chunk in read_rows(input_file(tmp_path / "in.parquet"), COLUMNS, TableOptions(1_000))]
    assert max(sizes) <= 100
    assert sum(sizes) == 1_000


def test_the_text_may_be_the_id_too(tmp_path):
    (tmp_path / "in.csv").write_text("text,n\nSun.,1\n")
    rows, _ = read(tmp_path / "in.csv", columns=Columns("text", "text"))
    assert rows.to_numpy().tolist() == [["Sun.", "Sun.", "1"]]


def test_linked_folders_are_read_once(tmp_path):
    for name in ("in/a", "other"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "in.txt").write_text("Sun.")
    (tmp_path / "in" / "b").symlink_to(tmp_path / "other")
    (tmp_path / "in" / "a" / "up").symlink_to(tmp_path / "in")
    found = find_files(tmp_path / "in")
    assert [file.name for file in found] == ["a/in.txt", "b/in.txt"]


def test_the_chosen_column_is_the_text_even_if_another_has_that_name(tmp_path):
    (tmp_path / "in.csv").write_text("id,key,body,text,input_text\n1,k,Sun.,Fog.,Rain.\n")
    rows, _ = read(tmp_path / "in.csv", columns=Columns("body", "key"))
    assert rows.to_dict("records") == [
        {"id": "k", "text": "Sun.", "input_id": "1", "input_text": "Fog.", "input_input_text": "Rain."}
    ]


def test_objects_and_lists_are_no_text(tmp_path):
    rows = [{"text": {"a": 1}}, {"text": ["x"]}, {"text": 2024}, {"text": "Sun.", "\ud83d": 1}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    kept, rejected = read(tmp_path / "in.jsonl")
    assert kept["text"].tolist() == ["2024"]
    assert rejected == {0: "no text but an object", 1: "no text but a list", 3: "no valid UTF-8"}


@pytest.mark.parametrize("content", ['"text","id"\n"Sun.","a"\n', "text,id\nSun.,a\n"])
def test_a_byte_order_mark_is_no_part_of_a_name(content, tmp_path):
    (tmp_path / "in.csv").write_text(content, encoding="utf-8-sig")
    assert read(tmp_path / "in.csv")[0].to_numpy().tolist() == [["a", "Sun."]]


def test_two_columns_of_one_name_are_refused(tmp_path):
    (tmp_path / "in.csv").write_text("text,a,a\nSun.,1,2\n")
    with pytest.raises(ClaimkindError, match="has two columns 'a', expected different names: rename one"):
        read(tmp_path / "in.csv")


def test_a_file_among_others_that_cannot_be_read_is_rejected(tmp_path):
    (tmp_path / "a.csv").write_text("id,body\n1,Sun.\n")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"text\nSun.\nFog.\n")[:-9])
    (tmp_path / "c.txt.gz").write_bytes(b"no gzip")
    reasons = [
        entry.reason
        for name in ("a.csv", "b.csv.gz")
        for chunk in read_rows(input_file(tmp_path / name, alone=False), COLUMNS, TableOptions(100))
        for entry in chunk.rejected
    ]
    reasons += [entry.reason for entry in read_document(input_file(tmp_path / "c.txt.gz")).chunk.rejected]
    assert "has no column 'text'" in reasons[0]
    assert reasons[1].startswith("cannot be read (Compressed file ended")
    assert reasons[2].startswith("cannot be read (Not a gzipped file")
    assert count_rows(input_file(tmp_path / "b.csv.gz")) == 0


def test_wrong_bytes_outside_the_text_rejects_a_row_too(tmp_path):
    (tmp_path / "in.csv").write_bytes(b"text,author\nSun.,Ren\xe9\nFog.,Zo\xc3\xab\n")
    rows, rejected = read(tmp_path / "in.csv")
    assert rows["text"].tolist() == ["Fog."]
    assert rejected == {0: "no valid UTF-8"}


def test_bad_parquet_rows_are_rejected(tmp_path):
    text = pa.Array.from_buffers(
        pa.string(), 3, [None, pa.array([0, 4, 8, 12], pa.int32()).buffers()[1], pa.py_buffer(b"Sun.caf\xe9Fog.")]
    )
    pq.write_table(pa.table({"text": text, "n": [1, 2, 3]}), tmp_path / "in.parquet")
    rows, rejected = read(tmp_path / "in.parquet")
    assert rows.to_numpy().tolist() == [["0", "Sun.", 1], ["2", "Fog.", 3]]
    assert rejected == {1: "no valid UTF-8"}
    pq.write_table(pa.table({"text": text, "picture": [b"\xff", b"\xfe", None]}), tmp_path / "in.parquet")
    rows, rejected = read(tmp_path / "in.parquet")
    assert rows["picture"].tolist() == [b"\xff", None]
    assert rejected == {1: "no valid UTF-8"}, "bytes that are no text were taken for it"
    when = pa.array([2**40, 0, None], pa.timestamp("s"))
    pq.write_table(pa.table({"text": ["Sun.", "Fog.", "Rain."], "when": when}), tmp_path / "in.parquet")
    rows, rejected = read(tmp_path / "in.parquet")
    assert rows["text"].tolist() == ["Fog.", "Rain."]
    assert rejected == {0: "cannot be read (date value out of range)"}
    pd.DataFrame({"id": ["a", "b"], "text": ["Sun.", None]}).to_parquet(tmp_path / "gap.parquet")
    assert read(tmp_path / "gap.parquet")[1] == {1: "no text"}


@pytest.mark.parametrize("kind", ["csv", "jsonl", "txt"])
def test_compressed_files_are_read(kind, tmp_path):
    content = {"csv": "text\nSun.\n", "jsonl": '{"text": "Sun."}\n', "txt": "Sun.\n"}[kind]
    path = tmp_path / f"in.{kind}.gz"
    path.write_bytes(gzip.compress(content.encode()))
    assert read(path)[0]["text"].tolist() == ["Sun."]
    path.write_bytes(gzip.compress(content.encode())[:-9])
    with pytest.raises(ClaimkindError, match=r"in\..*\.gz cannot be read \(Compressed file ended"):
        read(path)


def test_lines_below_front_matter_keep_their_numbers(tmp_path):
    (tmp_path / "in.md").write_bytes(b"---\ntitle: T\n---\nSun.\n\ncaf\xe9\nRain \xe2\x80\x93 now.\n")
    rows, rejected = read(tmp_path / "in.md")
    assert rows.to_numpy().tolist() == [["in.md:4", "Sun."], ["in.md:7", "Rain – now."]]
    assert rejected == {1: "no valid UTF-8"}


def test_a_document_that_is_no_text_is_rejected(tmp_path):
    (tmp_path / "a.txt").write_bytes(bytes(range(128, 256)))
    (tmp_path / "b.txt").write_text(" \n")
    (tmp_path / "c.txt").write_text("x" * (LONGEST_TEXT + 1))
    (tmp_path / "d.txt").write_text("語" * (2 * LONGEST_TEXT))
    found = {
        name: read_document(input_file(tmp_path / name)).chunk.rejected for name in ("a.txt", "b.txt", "c.txt", "d.txt")
    }
    reasons = {
        "a.txt": "holds no text, expected text in UTF-8, UTF-16 or Windows-1252: convert it",
        "b.txt": "no text",
        "c.txt": "longer than 1,000,000 characters: split it into several",
        "d.txt": "longer than 1,000,000 characters: split it into several",
    }
    rows = {"a.txt": None, "b.txt": 0, "c.txt": 0, "d.txt": None}
    assert found == {name: [Rejected(name, rows[name], reason)] for name, reason in reasons.items()}


def test_a_table_without_the_column_is_one_sentence(tmp_path):
    (tmp_path / "in.csv").write_text("id,body\n1,Sun.\n")
    with pytest.raises(ClaimkindError, match=r"has no column 'text', expected one of its columns id, body: give text_"):
        read(tmp_path / "in.csv")


def test_rows_are_counted_without_reading_them(tmp_path):
    pd.DataFrame({"text": ["a"] * 7}).to_parquet(tmp_path / "in.parquet")
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n' * 5)
    assert (count_rows(input_file(tmp_path / "in.parquet")), count_rows(input_file(tmp_path / "in.jsonl"))) == (7, 5)


def test_of_a_parquet_file_a_few_row_groups_are_held(tmp_path):
    groups = [
        [f"{number} {'rain ' * 40}" for number in range(first, first + 2_000)] for first in range(0, 60_000, 2_000)
    ]
    rows = pa.table({"text": [text for group in groups for text in group]})
    pq.write_table(rows, tmp_path / "in.parquet", row_group_size=2_000, compression="none")
    del rows
    before = pa.total_allocated_bytes()
    held = max(
        pa.total_allocated_bytes() - before
        for _ in read_rows(input_file(tmp_path / "in.parquet"), COLUMNS, TableOptions(2_000))
    )
    assert held < 6 * sum(map(len, groups[0])), "memory grows with the file"


def test_rows_are_numbered_through_all_row_groups(tmp_path):
    pq.write_table(pa.table({"text": ["a", "b", "c", "d", "e"]}), tmp_path / "in.parquet", row_group_size=2)
    chunks = list(read_rows(input_file(tmp_path / "in.parquet"), COLUMNS, TableOptions(100)))
    assert [key for chunk in chunks for key in chunk.rows["id"]] == ["0", "1", "2", "3", "4"]


def test_bytes_that_are_no_utf8_are_rejected_as_such(tmp_path):
    pq.write_table(pa.table({"text": pa.array([b"Sun.", b"\xff\xfe"], pa.binary())}), tmp_path / "in.parquet")
    (chunk,) = read_rows(InputFile(tmp_path / "in.parquet", "in.parquet"), Columns(), TableOptions())
    assert chunk.rows["text"].tolist() == ["Sun."]
    assert [entry.reason for entry in chunk.rejected] == ["no valid UTF-8"]


def test_bytes_in_utf8_are_text(tmp_path):
    rows = pa.table({"id": [b"a", b"b"], "text": [b"Caf\xc3\xa9.", b"caf\xe9"]})
    pq.write_table(rows, tmp_path / "in.parquet")
    kept, rejected = read(tmp_path / "in.parquet")
    assert kept.to_numpy().tolist() == [["a", "Café."]]
    assert rejected == {1: "no valid UTF-8"}


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_path_leads_into_nested_objects(ending, tmp_path):
    rows = pd.DataFrame({"body": [{"plain": "Sun.", "lang": {"code": "en"}}, {"plain": None, "lang": {"code": "fr"}}]})
    if ending == "jsonl":
        rows.to_json(tmp_path / "in.jsonl", orient="records", lines=True)
    else:
        rows.to_parquet(tmp_path / "in.parquet")
    kept, rejected = read(tmp_path / f"in.{ending}", columns=Columns("body.plain", "body.lang.code"))
    assert kept[["id", "text"]].to_numpy().tolist() == [["en", "Sun."]]
    assert kept["body"].tolist() == [{"plain": "Sun.", "lang": {"code": "en"}}]
    assert len(rejected) == 1


def test_a_column_whose_name_holds_a_dot_is_no_path(tmp_path):
    (tmp_path / "in.jsonl").write_text('{"body.plain": "Sun.", "body": {"plain": "Fog."}}')
    assert read(tmp_path / "in.jsonl", columns=Columns("body.plain", "id"))[0]["text"].tolist() == ["Sun."]


@pytest.mark.parametrize("text", ["\u200b", "\u00ad", "\u2060 \u200d", "\u3164", "\u2800", "\ufeff", "\u0301", " \t"])
def test_invisible_characters_alone_are_no_text(text, tmp_path):
    (tmp_path / "in.jsonl").write_text(json.dumps({"text": text}) + '\n{"text": "語"}\n{"text": "?"}\n{"text": "😀"}\n')
    rows, rejected = read(tmp_path / "in.jsonl")
    assert rows["text"].tolist() == ["語", "?", "😀"]
    assert rejected == {0: "no text"}


def test_an_id_column_that_is_not_there_is_refused(tmp_path):
    (tmp_path / "in.csv").write_text("key,text\n1,Sun.\n")
    with pytest.raises(
        ClaimkindError, match=r"has no column 'nope', expected one of its columns key, text: give id_col"
    ):
        read(tmp_path / "in.csv", columns=Columns("text", "nope"))
    (tmp_path / "in.jsonl").write_text('{"text": "Sun."}\n{"text": "Fog.", "nope": null}\n')
    rows, rejected = read(tmp_path / "in.jsonl", columns=Columns("text", "nope"))
    assert rows.to_numpy().tolist() == [["1", "Fog."]]
    assert rejected == {0: "no column 'nope'"}


def test_rows_tell_their_file_where_there_are_several(tmp_path):
    (tmp_path / "in.csv").write_text("id,text,file\n1,Sun.,mine\n")
    rows = next(read_rows(input_file(tmp_path / "in.csv", alone=False), COLUMNS, TableOptions())).rows
    assert rows.to_dict("records") == [{"id": "1", "text": "Sun.", "file": "in.csv", "input_file": "mine"}]


@pytest.mark.parametrize(
    ("content", "text", "first_line"),
    [
        ("---\ntitle: A\n---\nIt rained.\n", "It rained.\n", 4),
        ('+++\ntitle = "A"\n+++\nIt rained.\n', "It rained.\n", 4),
        ("---\n# comment\n---\nIt rained.\n", "It rained.\n", 4),
        ("---\ntitle: A\n...\nIt rained.\n", "It rained.\n", 4),
        ("---\n---\nIt rained.\n", "It rained.\n", 3),
        ("---\n\nIt rained.\n\n---\n", "---\n\nIt rained.\n\n---\n", 1),
        ("---\nIt rained.\n---\n", "---\nIt rained.\n---\n", 1),
    ],
)
def test_text_between_two_rules_is_no_front_matter(content, text, first_line, tmp_path):
    file = InputFile(tmp_path / "in.md", "in.md")
    file.path.write_text(content)
    assert read_document(file).parsed.text == text
    assert next(read_rows(file, Columns(), TableOptions())).rows["id"][0] == f"in.md:{first_line}"
