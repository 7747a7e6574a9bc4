import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimkind.io.formulas import escape, unescape
from claimkind.io.writers import join_parts, read_part, write_part


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"), ("+1-555-0100", "'+1-555-0100"), ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        ("@SUM(A1)", "'@SUM(A1)"), ("\t=1", "'\t=1"), ("\r=1", "'\r=1"), ("＝1", "'＝1"), ("- an item", "'- an item"),
        ("'=1", "''=1"), ("-5", "-5"), ("+5", "+5"), ("-1,234.50", "-1,234.50"), ("-1e-7", "-1e-7"), ("-3%", "-3%"),
        ("Rain = water.", "Rain = water."), ("'tis", "'tis"), ("", ""), (-5, -5), (None, None), (b"\xf8", "'+A=="),
    ],
)  # fmt: skip
def test_what_a_spreadsheet_would_compute_gets_an_apostrophe(cell, written):
    (found,) = escape(pd.DataFrame({"cell": pd.Series([cell], dtype=object)}))["cell"]
    assert found == written


def test_numbers_stay_numbers():
    rows = pd.DataFrame({"p": [-0.5, 0.25], "n": [-1, 2], "text": ["a", "-1"]})
    pd.testing.assert_frame_equal(escape(rows), rows)


def test_names_of_columns_are_escaped_too():
    assert list(escape(pd.DataFrame({"=1": ["a"], "b": ["c"]}))) == ["'=1", "b"]


@given(st.lists(st.text(alphabet="'=+-@a5.,%e\t\r\n ", max_size=6), min_size=1, max_size=9))
def test_it_can_be_undone(cells):
    rows = pd.DataFrame({"cells": pd.Series(cells, dtype=object), "+": pd.Series(cells, dtype=object)})
    escaped = escape(rows)
    pd.testing.assert_frame_equal(unescape(escaped), rows)
    pd.testing.assert_frame_equal(unescape(escape(escaped)), escaped)


@pytest.mark.parametrize(("ending", "cell"), [(".csv", "'=1+1"), (".jsonl", "=1+1"), (".parquet", "=1+1")])
def test_only_csv_files_are_escaped(ending, cell, tmp_path):
    part, output = tmp_path / f"part{ending}", tmp_path / f"out{ending}"
    write_part(pd.DataFrame({"text": ["=1+1"]}), part, escape_formulas=True)
    assert read_part(part, escape_formulas=True)["text"].tolist() == ["=1+1"]
    join_parts([part], output)
    assert read_part(output)["text"].tolist() == [cell]
    write_part(pd.DataFrame({"text": ["=1+1"]}), part)
    assert read_part(part)["text"].tolist() == ["=1+1"]
