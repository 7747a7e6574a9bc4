"""A labelled table of N good and M bad rows gives N rows, and each of the M is logged with its place."""

import json
import logging

import pandas as pd
import pytest

from claimkind.dataset.sources.table import Table
from claimkind.errors import ClaimkindError

OWN_LABELS = {"fact": "factual", "guess": "speculative", "view": "opinion"}
GOOD = '0,"The clinic opened in May.",fact\n1,"It may close again by winter.",guess\n2,"Its hall is a delight.",view\n'
HEADER = "article,sentence,kind\n"


@pytest.fixture
def read(tmp_path, caplog):
    """Write a file and read it as a table; gives the rows and what was logged about bad rows."""
    caplog.set_level(logging.INFO)

    def read(name, content, **settings):
        path = tmp_path / name
        if isinstance(content, pd.DataFrame):
            content.to_parquet(path)
        else:
            path.write_bytes(content.encode())
        columns = {"text_column": "sentence", "label_column": "kind", "group_column": "article"}
        table = Table(
            files={name: None},
            folder=str(tmp_path),
            licence="own",
            **{**columns, "own_labels": OWN_LABELS, **settings},
        )
        rows = table.read("mine")
        return rows, [message.removeprefix(f"{tmp_path}/") for message in caplog.messages]

    return read


def test_a_blank_line_is_no_row(read):
    rows, logged = read("a.csv", f"{HEADER}{GOOD}\n\n")
    assert rows["label"].tolist() == ["factual", "speculative", "opinion"]
    assert logged == []


def test_a_quotation_mark_that_is_never_closed_costs_one_row_and_no_label(read):
    tail = '12,"Prices could fall and nobody knows,guess\n13,"Rents rose.",fact\n14,"It is a shame.",view\n'
    rows, logged = read("a.csv", HEADER + GOOD + tail)
    assert rows["text"].tolist()[-2:] == ["Rents rose.", "It is a shame."]
    assert rows["label"].tolist() == ["factual", "speculative", "opinion", "factual", "opinion"]
    assert [line.split(":")[0] for line in logged] == ["a.csv", "a.csv, line 5"]
    assert logged[0] == "a.csv: 5 rows are used, 1 row is left out"


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_row_without_text_is_left_out(ending, read):
    sentences = ["The mill closed.", None, "The pool closed.", "  "]
    table = [{"article": n, "sentence": sentence, "kind": "fact"} for n, sentence in enumerate(sentences)]
    content = pd.DataFrame(table) if ending == "parquet" else "".join(json.dumps(row) + "\n" for row in table)
    rows, logged = read(f"a.{ending}", content)
    assert rows["text"].tolist() == ["The mill closed.", "The pool closed."]
    assert rows["id"].tolist() == ["mine:a:0", "mine:a:2"]
    places = ["line 2", "line 4"] if ending == "jsonl" else ["row 1", "row 3"]
    assert [line.split(":")[0] for line in logged[1:]] == [f"a.{ending}, {place}" for place in places]


def test_a_row_without_label_is_left_out(read):
    rows, logged = read("a.csv", f"{HEADER}{GOOD}3,Rents rose., \n4,Rents fell.,\n")
    assert len(rows) == 3
    assert logged == [
        "a.csv: 3 rows are used, 2 rows are left out",
        "a.csv, line 5: no label in the column 'kind'",
        "a.csv, line 6: no label in the column 'kind'",
    ]


def test_a_null_label_is_left_out(read):
    table = [{"article": 0, "sentence": f"Mill {kind}.", "kind": kind} for kind in ("fact", None, "view")]
    table.append({"article": 0, "sentence": "Mill without a label."})
    rows, logged = read("a.jsonl", "".join(json.dumps(row) + "\n" for row in table))
    assert rows["label"].tolist() == ["factual", "opinion"]
    assert [line.split(":")[0] for line in logged[1:]] == ["a.jsonl, line 2", "a.jsonl, line 4"]


def test_a_label_that_is_no_number_is_left_out_where_numbers_are_binned(read):
    content = "article,sentence,kind\n0,A.,1\n1,B.,many\n2,C.,5\n3,D.,nan\n"
    rows, logged = read("a.csv", content, own_labels=None, bins=[2.0, 4.0])
    assert rows["source_label"].tolist() == ["<=2", ">=4"]
    assert logged[1:] == [
        "a.csv, line 3: the label 'many' is not a number",
        "a.csv, line 5: the label 'nan' is not a number",
    ]


def test_rows_that_are_too_short_or_too_long_are_left_out(read):
    rows, logged = read("a.csv", f"{HEADER}{GOOD}3,Rents rose.\n4,Rents, fell.,fact\n")
    assert len(rows) == 3
    assert logged[1:] == ["a.csv, line 5: 2 fields, expected 3", "a.csv, line 6: 4 fields, expected 3"]


def test_short_rows_are_filled_where_a_corpus_is_known_to_have_them(read):
    content = "sentence,kind,solved\nRents rose.,fact,no\nRents fell.,fact\n"
    rows, logged = read("a.csv", content, group_column=None, fill_short_rows=True)
    assert len(rows) == 2
    assert logged == []


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_the_separator_is_detected(separator, read):
    content = (HEADER + GOOD).replace(",", separator)
    rows, _ = read("a.csv", content)
    assert rows["label"].tolist() == ["factual", "speculative", "opinion"]


def test_a_table_without_a_good_row_is_refused_with_the_first_reason(read):
    with pytest.raises(ClaimkindError, match=r"a\.csv has no row that can be used \(line 2: no text\)"):
        read("a.csv", f"{HEADER}1,,fact\n2,,fact\n")


def test_an_empty_table_is_refused(read):
    with pytest.raises(ClaimkindError, match=r"a\.csv has no row"):
        read("a.csv", HEADER)


def test_labels_that_are_not_mapped_are_an_error_and_not_bad_rows(read):
    with pytest.raises(ClaimkindError, match=r"a\.csv has the label 'rumour', expected one of fact, guess, view"):
        read("a.csv", f"{HEADER}{GOOD}3,Rents rose.,rumour\n")


def test_a_null_label_can_be_mapped_like_an_empty_one(read):
    table = pd.DataFrame({"sentence": ["Mill A.", "Mill B."], "kind": ["fact", None]})
    settings = {"own_labels": None, "group_column": None, "source_labels": {"fact": "fact", "": "none"}}
    rows, logged = read("a.parquet", table, **settings)
    assert rows["source_label"].tolist() == ["fact", "none"]
    assert logged == []
