"""Only sentences are labelled and counted; headings, lists, tables and boilerplate stay in the output."""

import json

import pandas as pd
import pytest

from claimkind.config import ScoreConfig
from claimkind.errors import ClaimkindError
from claimkind.scoring import engine
from claimkind.training.distillation import _sentences_of
from tests.unit.scoring.test_scoring import MaySpeculates, use_model

PAGE = """# It may rain

It may rain on **Sunday**. It is wet.

- umbrellas
- It may be too late for them.

| Day | Rain |
|-----|------|
| Sun | may |

Click here to subscribe.
"""
KINDS = ["heading", "sentence", "sentence", "list_item", "sentence", "table", "table", "table", "table", "boilerplate"]
LABELS = [None, "speculative", "factual", None, "speculative", None, None, None, None, None]


@pytest.fixture
def run(tmp_path, monkeypatch):
    use_model(monkeypatch, tmp_path / "model")
    (tmp_path / "in.md").write_text(PAGE)

    def run(output="out.jsonl", **changes):
        settings = {"input": str(tmp_path / "in.md"), "output": str(tmp_path / output), **changes}
        return engine.run(ScoreConfig(**settings))

    return run


def rows_of(path):
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    table = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    return table.astype(object).where(table.notna(), None).to_dict("records")


@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".parquet"])
def test_other_kinds_stay_in_the_output_without_a_label(ending, run, tmp_path):
    summary = run(f"out{ending}")
    rows = rows_of(tmp_path / f"out{ending}")
    assert [row["kind"] for row in rows] == KINDS
    assert [row["label"] for row in rows] == LABELS
    assert [row["confidence"] is None for row in rows] == [label is None for label in LABELS]
    assert {row["windows"] for row in rows} == {1, None}
    assert "3 sentences, 1 factual, 2 speculative, 0 opinion" in summary.text()
    assert "not counted, since they are not sentences: 4 table, 1 heading, 1 list_item, 1 boilerplate" in summary.text()


def test_offsets_cover_the_markup_and_the_model_sees_none(run, tmp_path):
    run()
    row = rows_of(tmp_path / "out.jsonl")[1]
    assert row["text"] == "It may rain on Sunday."
    assert PAGE[row["start"] : row["end"]] == "It may rain on **Sunday**."


def test_all_kinds_are_labelled_where_that_is_wanted_but_sentences_alone_count(run, tmp_path):
    summary = run(kinds="all")
    assert all(row["label"] for row in rows_of(tmp_path / "out.jsonl"))
    assert summary.labels == {"factual": 1, "speculative": 2}


def test_an_unknown_choice_of_kinds_is_refused(run):
    with pytest.raises(ClaimkindError, match="kinds=headings is unknown, expected one of sentences, all"):
        run(kinds="headings")


@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".parquet"])
def test_a_run_that_was_cut_off_gives_the_same_output_and_counts(ending, run, tmp_path, monkeypatch):
    whole = run(f"whole{ending}", chunk_size=2)
    write = engine.Journal.write

    def limited(self, number, rows, rejected):
        if number == 3:
            raise KeyboardInterrupt
        write(self, number, rows, rejected)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(engine.Journal, "write", limited)
        run(f"cut{ending}", chunk_size=2)
    with pytest.raises(ClaimkindError, match="holds parts made with another kinds"):
        run(f"cut{ending}", chunk_size=2, kinds="all")
    resumed = run(f"cut{ending}", chunk_size=2, report=str(tmp_path / "r.html"))
    assert (tmp_path / f"cut{ending}").read_bytes() == (tmp_path / f"whole{ending}").read_bytes()
    assert (resumed.labels, resumed.others) == (whole.labels, whole.others)


def test_the_report_shows_other_kinds_in_grey_and_counts_sentences(run, tmp_path):
    run(report=str(tmp_path / "r.html"))
    page = (tmp_path / "r.html").read_text()
    assert "3 sentences · 33% factual · 67% speculative" in page
    assert '<span class="other heading" title="heading">It may rain</span>' in page


def test_a_page_without_a_sentence_is_written(run, tmp_path):
    (tmp_path / "in.md").write_text("# A heading alone\n")
    summary = run()
    assert [row["kind"] for row in rows_of(tmp_path / "out.jsonl")] == ["heading"]
    assert "0 sentences" in summary.text()


def test_rows_of_a_table_are_sentences_and_keep_their_own_kind(run, tmp_path):
    (tmp_path / "day.csv").write_text("text,kind\nIt may rain.,heading\n")
    run(input=str(tmp_path / "day.csv"))
    assert rows_of(tmp_path / "out.jsonl")[0]["kind"] == "heading"
    assert rows_of(tmp_path / "out.jsonl")[0]["label"] == "speculative"
    summary = run(input=str(tmp_path / "*.[cm][sd]*"), output=str(tmp_path / "both.jsonl"))
    row = next(row for row in rows_of(tmp_path / "both.jsonl") if row["text"] == "It may rain.")
    assert (row["kind"], row["input_kind"], row["label"]) == ("sentence", "heading", "speculative")
    assert summary.rows == 4


def test_a_student_learns_from_sentences_alone(run, tmp_path):
    assert list(_sentences_of(str(tmp_path / "in.md"))) == [
        "It may rain on Sunday.", "It is wet.", "It may be too late for them.",
    ]  # fmt: skip


def test_workers_label_sentences_alone(run, tmp_path, monkeypatch):
    seen = []

    class Watched(MaySpeculates):
        def predict_proba(self, texts):
            seen.extend(texts)
            return super().predict_proba(texts)

    use_model(monkeypatch, tmp_path / "model", Watched())
    run(chunk_size=3)
    assert seen == ["It may rain on Sunday.", "It is wet.", "It may be too late for them."]


def test_a_document_that_cannot_be_read_is_named_in_one_sentence(run, tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"no pdf")
    with pytest.raises(ClaimkindError, match=r"none of the 1 rows .* can be scored: a\.pdf cannot be read .*check it"):
        run(input=str(tmp_path / "a.pdf"))


def test_a_document_that_cannot_be_read_stops_no_other(run, tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"no pdf")
    summary = run(input=str(tmp_path / "*.[pm]d*"), report=str(tmp_path / "r.html"))
    assert summary.rows == 3
    assert "not read: " in summary.text() and "a.pdf cannot be read" in summary.text()


def test_parts_of_rejected_rows_alone_can_be_resumed(run, tmp_path, monkeypatch):
    for name in ("a.pdf", "b.pdf", "c.pdf"):
        (tmp_path / name).write_bytes(b"no pdf")
    write = engine.Journal.write

    def limited(self, number, rows, rejected):
        if number == 2:
            raise KeyboardInterrupt
        write(self, number, rows, rejected)

    settings = {"input": str(tmp_path / "*.[pm]d*"), "chunk_size": 1, "report": str(tmp_path / "r.html")}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(engine.Journal, "write", limited)
        run(**settings)
    summary = run(**settings)
    assert (summary.rows, summary.rejected) == (3, 3)
