"""CSV files as different programs write them."""

import logging

import pytest

from claimkind.errors import ClaimkindError
from claimkind.io.base import TableOptions
from claimkind.io.columns import Columns
from claimkind.io.dialects import parse_separator
from claimkind.io.input_file import InputFile
from claimkind.io.readers import read_rows

ROWS = [("1", "The council, on Monday, approved it."), ("2", 'He said "no"; then he left.'), ("3", "Sun.")]


def read(path, **options):
    chunks = list(read_rows(InputFile(path, path.name), Columns("text", "id"), TableOptions(**options)))
    rows = [(key, text) for chunk in chunks for key, text in zip(chunk.rows["id"], chunk.rows["text"], strict=True)]
    return rows, {entry.row: entry.reason for chunk in chunks for entry in chunk.rejected}


def quoted(cell, mark='"', escape='""'):
    return mark + cell.replace('"', escape) + mark


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", [".csv", ".tsv"])
def test_separator_and_line_ends_are_detected(separator, end, ending, tmp_path):
    path = tmp_path / f"in{ending}"
    lines = [separator.join(("id", "text")), *(separator.join((key, quoted(text))) for key, text in ROWS)]
    path.write_bytes(end.join([*lines, ""]).encode())
    assert read(path) == (ROWS, {})


def test_a_quotation_mark_may_be_escaped_by_a_backslash(tmp_path):
    lines = ["id,text", *(f"{key},{quoted(text, escape=chr(92) + chr(34))}" for key, text in ROWS)]
    (tmp_path / "in.csv").write_text("\n".join(lines))
    assert read(tmp_path / "in.csv") == (ROWS, {})


def test_cells_may_stand_between_apostrophes(tmp_path):
    (tmp_path / "in.csv").write_text("id,text\n1,'Sun, and rain.'\n2,'Fog.'\n3,'Hail, then snow.'\n")
    assert read(tmp_path / "in.csv")[0] == [("1", "Sun, and rain."), ("2", "Fog."), ("3", "Hail, then snow.")]


def test_quotation_marks_of_a_table_without_quoting_are_text(tmp_path):
    (tmp_path / "in.tsv").write_text('id\ttext\n1\t"No," he said.\n2\t"Why?\n3\tSun.\n')
    assert read(tmp_path / "in.tsv") == ([("1", '"No," he said.'), ("2", '"Why?'), ("3", "Sun.")], {})


def test_a_single_column_is_not_separated(tmp_path):
    (tmp_path / "in.csv").write_text("text\nSun, and rain.\nFog.\n")
    assert [text for _, text in read(tmp_path / "in.csv")[0]] == ["Sun, and rain.", "Fog."]


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"'])
def test_the_first_line_of_excel_tells_the_separator(first, tmp_path):
    (tmp_path / "in.csv").write_text(f"{first}\r\nid;text\r\n1;Sun, or rain.\r\n", encoding="utf-8-sig", newline="")
    assert read(tmp_path / "in.csv")[0] == [("1", "Sun, or rain.")]


def test_an_unusual_dialect_is_logged_once(tmp_path, caplog):
    (tmp_path / "in.csv").write_text("id;text\n1;Sun.\n")
    (tmp_path / "plain.csv").write_text("id,text\n1,Sun.\n")
    with caplog.at_level(logging.INFO):
        read(tmp_path / "in.csv")
        read(tmp_path / "plain.csv")
    assert caplog.messages == ['in.csv: cells separated by semicolon, quoted by "']


def test_a_given_separator_is_taken(tmp_path):
    (tmp_path / "in.csv").write_text("id,a;text,b\n1;Sun, or rain.\n2;Fog, say.\n")
    path = tmp_path / "in.csv"
    chunk = next(read_rows(InputFile(path, "in"), Columns("text,b", "id,a"), TableOptions(separator=";")))
    assert chunk.rows["text"].tolist() == ["Sun, or rain.", "Fog, say."]


@pytest.mark.parametrize(
    ("given", "meant"), [("tab", "\t"), (r"\t", "\t"), ("semicolon", ";"), ("~", "~"), (None, None)]
)
def test_separators_have_names(given, meant):
    assert parse_separator(given) == meant


@pytest.mark.parametrize("given", ["", "::", '"', "blank"])
def test_what_cannot_separate_is_refused(given):
    with pytest.raises(ClaimkindError, match="expected one character, or one of comma, semicolon, tab, pipe"):
        parse_separator(given)


def test_an_unclosed_quotation_mark_is_rejected_in_any_dialect(tmp_path):
    (tmp_path / "in.csv").write_text('id;text\n1;"Sun."\n2;"Rain.\n3;"Fog."\n4;"Hail."\n')
    rows, rejected = read(tmp_path / "in.csv")
    assert [key for key, _ in rows] == ["1", "3", "4"]
    assert list(rejected) == [1]


def test_lines_above_the_header_are_no_rows(tmp_path):
    for title in ("Stories, June 2024\n\n", "Stories,,\n,,\n", "sep=,\nStories\n"):
        (tmp_path / "in.csv").write_text(title + "id,text,n\n1,Sun.,3\n2,,4\n")
        rows, rejected = read(tmp_path / "in.csv")
        assert (rows, rejected) == ([("1", "Sun.")], {1: "no text"}), title


def test_a_blank_after_each_separator_is_no_part_of_a_cell(tmp_path):
    (tmp_path / "in.csv").write_text('id, text, n\n1, "Sun, or rain.", 3\n2, Fog., 4\n')
    assert read(tmp_path / "in.csv")[0] == [("1", "Sun, or rain."), ("2", "Fog.")]


def test_one_column_that_holds_the_name_may_be_several(tmp_path):
    (tmp_path / "in.csv").write_text("id^text\n1^Sun.\n")
    with pytest.raises(ClaimkindError, match=r"columns id\^text: give text_column=…, or separator=… where this is sev"):
        read(tmp_path / "in.csv")
    assert read(tmp_path / "in.csv", separator="^")[0] == [("1", "Sun.")]


def test_no_separator_is_logged_for_a_single_column(tmp_path, caplog):
    (tmp_path / "in.csv").write_text("text\nSun, and rain.\nFog.\n")
    with caplog.at_level(logging.INFO):
        read(tmp_path / "in.csv")
    assert not caplog.messages


def test_a_header_may_hold_a_line_break(tmp_path):
    (tmp_path / "in.csv").write_text('id,"the\ntext",text\n1,a,Sun.\n')
    assert read(tmp_path / "in.csv")[0] == [("1", "Sun.")]


@pytest.mark.parametrize("null", ["\\N", "NULL", "NaN", "nan", "<NA>", "#N/A", " #VALUE! "])
def test_what_stands_for_no_value_is_no_text(null, tmp_path):
    (tmp_path / "in.csv").write_text(f"id,text\n1,{null}\n2,None came.\n3,None\n")
    assert read(tmp_path / "in.csv") == ([("2", "None came."), ("3", "None")], {0: f"no text but {null.strip()}"})
