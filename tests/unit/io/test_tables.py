"""A whole table: N good rows and M bad ones give N rows and M reasons with their lines."""

import json
import zipfile

import pandas as pd
import pytest

from claimkind.errors import ClaimkindError
from claimkind.io.tables import RejectedRow, read_table


def test_good_rows_are_kept_and_bad_ones_listed_with_their_lines(tmp_path):
    lines = [
        "article;sentence;kind",
        '0;"Sun,\nand rain.";fact',
        '1;"Fog.;guess',
        "2;;view",
        "3;Hail.;fact",
        "4;Snow.",
        "",
    ]
    (tmp_path / "in.csv").write_text("\n".join(lines))
    table = read_table(tmp_path / "in.csv", text_column="sentence")
    assert table.rows["sentence"].tolist() == ["Sun,\nand rain.", "Hail."]
    assert table.rows.index.tolist() == [0, 3]
    assert table.places == ["line 2", "line 6"]
    assert [(entry.place, entry.reason) for entry in table.rejected] == [
        ("line 4", "no CSV row: unexpected end of data"), ("line 5", "no text"), ("line 7", "2 fields, expected 3"),
    ]  # fmt: skip


def test_rows_without_text_are_listed_in_any_format(tmp_path):
    rows = [{"text": "Sun.", "kind": "fact"}, {"text": None, "kind": "fact"}, {"text": "Fog.", "kind": "view"}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pd.DataFrame(rows).to_parquet(tmp_path / "in.parquet")
    by_line = read_table(tmp_path / "in.jsonl", text_column="text")
    by_row = read_table(tmp_path / "in.parquet", text_column="text")
    assert (
        by_line.rows.to_dict("list")
        == by_row.rows.to_dict("list")
        == {"text": ["Sun.", "Fog."], "kind": ["fact", "view"]}
    )
    assert (by_line.rejected, by_row.rejected) == (
        [RejectedRow("line 2", "no text")],
        [RejectedRow("row 1", "no text")],
    )


def test_short_rows_are_filled_on_request(tmp_path):
    (tmp_path / "in.tsv").write_text("id\ttext\tsolved\n1\tSun.\n2\tFog.\tyes\n")
    table = read_table(tmp_path / "in.tsv", text_column="text", separator="\t", fill_short_rows=True)
    assert table.rows["solved"].tolist() == ["", "yes"]
    assert not table.rejected


def test_a_long_field_costs_its_row(tmp_path):
    (tmp_path / "in.csv").write_text(f"text,kind\n{'x' * 1_100_000},fact\nSun.,fact\n")
    table = read_table(tmp_path / "in.csv", text_column="text")
    assert table.rows["text"].tolist() == ["Sun."]
    assert [entry.place for entry in table.rejected] == ["line 2"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("none.csv", "none.csv does not exist"), ("in.csv", r"in\.csv has no column 'body', expected one of its columns")],
)
def test_a_table_that_cannot_be_read_is_one_sentence(name, sentence, tmp_path):
    (tmp_path / "in.csv").write_text("text,kind\nSun.,fact\n")
    with pytest.raises(ClaimkindError, match=sentence):
        read_table(tmp_path / name, text_column="body")


def test_an_archive_of_several_tables_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.writestr("a.csv", "text\nSun.\n")
        archive.writestr("b.csv", "text\nFog.\n")
    with pytest.raises(ClaimkindError, match=r"in\.zip holds 2 files, expected one"):
        read_table(tmp_path / "in.zip", text_column="text")
