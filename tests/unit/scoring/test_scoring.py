"""The scoring engine, with a classifier that looks for one word."""

import base64
import csv
import datetime
import hashlib
import io
import json
import multiprocessing
import os
import re
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from threadpoolctl import threadpool_info

from claimkind import __version__, models
from claimkind.config import ScoreConfig
from claimkind.errors import ClaimkindError, TooManyRejectedError
from claimkind.labels import LABELS, one_hot
from claimkind.models.hashing import HashingClassifier, HashingSettings
from claimkind.models.prediction import OUTPUT_COLUMNS, label_texts, label_with_windows
from claimkind.scoring import engine, journal, report
from claimkind.scoring.inputs import split_documents
from claimkind.scoring.journal import Journal
from claimkind.scoring.report import write_report
from claimkind.scoring.workers import start_worker
from claimkind.text.plain import parse_plain
from claimkind.tracking import Origin


class MaySpeculates:
    """Calls a text with the word *may* speculative, any other factual."""

    single_threaded = False
    compute_dtype = ""
    abstain_below = 0.0

    def predict_proba(self, texts):
        certain = np.array([[0.1, 0.8, 0.1] if "may" in text else [0.9, 0.05, 0.05] for text in texts])
        return certain.reshape(-1, 3)

    def windows(self, texts):
        return np.array([1 + len(text) // 100 for text in texts], dtype=int)


ROWS = pd.DataFrame({"id": ["a", "b"], "text": ["It may rain. It is wet.", "Sun."], "label": ["x", "y"]})
WRITE = {
    ".csv": lambda rows, path: rows.to_csv(path, index=False),
    ".jsonl": lambda rows, path: rows.to_json(path, orient="records", lines=True),
    ".parquet": lambda rows, path: rows.to_parquet(path),
}
READ = {
    ".csv": pd.read_csv,
    ".jsonl": lambda path: pd.read_json(path, lines=True),
    ".parquet": pd.read_parquet,
}


def use_model(monkeypatch, folder, model=None):
    folder.mkdir(exist_ok=True)
    (folder / "manifest.json").write_text("{}")
    monkeypatch.setattr("claimkind.tracking.fetch_folder", lambda uri: folder)
    monkeypatch.setattr("claimkind.models.load", lambda path, inference: model or MaySpeculates())
    monkeypatch.setattr("claimkind.tracking.fetch_reference", lambda uri: None)
    monkeypatch.setattr("claimkind.tracking.origin_of", lambda uri: Origin(str(folder), {}))


def score(monkeypatch, source, output, **changes):
    use_model(monkeypatch, output.parent / "model")
    engine.run(ScoreConfig(input=str(source), output=str(output), **changes))
    return READ[output.suffix](output)


@pytest.mark.parametrize("end_in", WRITE)
@pytest.mark.parametrize("end_out", READ)
def test_rows_in_rows_out_in_any_format(end_in, end_out, tmp_path, monkeypatch):
    WRITE[end_in](ROWS, tmp_path / f"in{end_in}")
    scored = score(monkeypatch, tmp_path / f"in{end_in}", tmp_path / f"out{end_out}", chunk_size=1)
    assert scored["id"].tolist() == ["a", "b"]
    assert scored["text"].tolist() == ROWS["text"].tolist()
    assert scored["label"].tolist() == ["speculative", "factual"]
    assert scored["input_label"].tolist() == ["x", "y"]
    assert scored["confidence"].tolist() == [0.8, 0.9]
    assert scored[["p_factual", "p_speculative", "p_opinion"]].sum(axis=1).tolist() == pytest.approx([1, 1])


ODD = [
    {"text": "One.", "number": 1234567890123456789, "much": 2**70, "empty": {}, "mixed": ["a"], "flag": True},
    {"text": "Two.", "number": None, "much": 1, "empty": {}, "mixed": "b"},
    {"text": "Three.", "number": 2, "much": None, "empty": {"x": 1}, "mixed": None, "share": 0.123456789012345},
]


@pytest.mark.parametrize("chunk_size", [1, 3])
@pytest.mark.parametrize("ending", READ)
def test_other_columns_come_out_as_they_went_in(ending, chunk_size, tmp_path, monkeypatch):
    source, output = tmp_path / "in.jsonl", tmp_path / f"out{ending}"
    source.write_text("".join(json.dumps(row) + "\n" for row in ODD))
    use_model(monkeypatch, tmp_path / "model")
    engine.run(ScoreConfig(input=str(source), output=str(output), chunk_size=chunk_size))
    if ending == ".jsonl":
        rows = [json.loads(line) for line in output.read_text().splitlines()]
        assert [{name: row.get(name) for name in ODD[0]} for row in rows] == [
            {name: row.get(name) for name in ODD[0]} for row in ODD
        ]
        assert rows[2]["share"] == 0.123456789012345
        return
    table = pd.read_csv(output, dtype=str).to_dict("list") if ending == ".csv" else pq.read_table(output).to_pydict()
    number, much, mixed = ([str(value) for value in table[name]] for name in ("number", "much", "mixed"))
    assert (number[0], number[2]) == ("1234567890123456789", "2"), "a number was rounded or became a fraction"
    assert much[:2] == [str(2**70), "1"]
    assert mixed[:2] == ['["a"]', "b"]


def test_a_column_of_times_stays_one(tmp_path, monkeypatch):
    when = pd.Timestamp("2026-01-02 03:04:05.678901")
    pd.DataFrame({"text": ["One.", "Two."], "when": [when, None]}).to_parquet(tmp_path / "in.parquet")
    scored = score(monkeypatch, tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert scored["when"][0] == when and scored["when"].isna().tolist() == [False, True]
    again = score(monkeypatch, tmp_path / "in.parquet", tmp_path / "out.jsonl")
    assert pd.Timestamp(again["when"][0]) == when


def test_an_output_can_be_scored_again(tmp_path, monkeypatch):
    ROWS.to_csv(tmp_path / "in.csv", index=False)
    score(monkeypatch, tmp_path / "in.csv", tmp_path / "once.parquet")
    twice = score(monkeypatch, tmp_path / "once.parquet", tmp_path / "twice.parquet")
    assert twice["input_input_label"].tolist() == ["x", "y"]
    assert twice["input_label"].tolist() == twice["label"].tolist() == ["speculative", "factual"]


def test_a_column_has_one_name_in_all_parts(tmp_path, monkeypatch):
    rows = [{"text": "One.", "label": "x"}, {"text": "Two.", "label": "x", "input_label": "y"}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    scored = score(monkeypatch, tmp_path / "in.jsonl", tmp_path / "out.parquet", chunk_size=1)
    assert scored["input_label"].tolist() == ["x", "x"]
    assert scored["input_input_label"].isna().tolist() == [True, False]


@pytest.mark.parametrize("chunk_size", [1, 3])
def test_line_ends_within_a_cell_end_no_row(chunk_size, tmp_path, monkeypatch):
    rows = [
        {"text": "Sun.\rIt may rain.", "a\nb": "1"}, {"text": "Fog.", "a\nb": "2", "c": "x\r\ny"}, {"text": "Rain."}
    ]  # fmt: skip
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    scored = score(monkeypatch, tmp_path / "in.jsonl", tmp_path / "out.csv", chunk_size=chunk_size)
    assert scored["text"].tolist() == [row["text"] for row in rows]
    assert scored["a\nb"].tolist()[:2] == [1, 2]
    with (tmp_path / "out.csv").open(newline="") as stream:
        assert [len(row) for row in csv.reader(stream)] == [len(scored.columns)] * 4


def test_bytes_come_out_in_base_64_where_a_format_has_none(tmp_path, monkeypatch):
    pd.DataFrame({"text": ["One.", "Two."], "picture": [b"\xff\x00", b"ab"]}).to_parquet(tmp_path / "in.parquet")
    for ending in (".csv", ".jsonl"):
        scored = score(monkeypatch, tmp_path / "in.parquet", tmp_path / f"out{ending}")
        assert scored["picture"].tolist() == ["/wA=", "YWI="]
    assert score(monkeypatch, tmp_path / "in.parquet", tmp_path / "out.parquet")["picture"][0] == b"\xff\x00"


def test_numbers_and_odd_values_stand_exactly_in_json_lines(tmp_path, monkeypatch):
    rows = pd.DataFrame(
        {
            "text": ["One.", "Two."], "small": [1.23456789012345e-12, 0.30000000000000004],
            "picture": [{"bytes": b"\x89PNG", "size": float("nan")}, None], "when": [pd.Timestamp(1), None],
            "day": [datetime.date(2026, 1, 2), None],
        }
    )  # fmt: skip
    rows.to_parquet(tmp_path / "in.parquet")
    score(monkeypatch, tmp_path / "in.parquet", tmp_path / "out.jsonl")
    first, second = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert (first["small"], second["small"]) == (1.23456789012345e-12, 0.30000000000000004)
    assert (first["picture"], second["picture"]) == ({"bytes": "iVBORw==", "size": None}, None)
    assert (first["when"], first["day"]) == ("1970-01-01T00:00:00.000000001", "2026-01-02")
    score(monkeypatch, tmp_path / "in.parquet", tmp_path / "out.csv")
    assert json.loads(pd.read_csv(tmp_path / "out.csv")["picture"][0])["bytes"] == "iVBORw=="


@pytest.mark.parametrize("chunk_size", [1, 2])
def test_nested_columns_come_out_as_they_went_in(chunk_size, tmp_path, monkeypatch):
    rows = [
        {"text": "Sun.", "media": [{"url": None}, None], "deep": [[[None]], [[None]]], "very": [None]},
        {"text": "Fog.", "media": [{"url": "x"}], "deep": None, "very": None},
    ]
    for _ in range(200):
        rows[0]["very"] = [rows[0]["very"]]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    score(monkeypatch, tmp_path / "in.jsonl", tmp_path / "out.parquet", chunk_size=chunk_size)
    written = pq.read_table(tmp_path / "out.parquet").to_pylist()
    for name in ("text", "media", "deep"):
        assert [row[name] for row in written] == [row[name] for row in rows]
    assert written[0]["very"] == json.dumps(rows[0]["very"]), "parquet cannot hold that many levels"


def test_a_column_without_a_name_keeps_none(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text(",text\n7,Sun.\n")
    (tmp_path / "in" / "b.csv").write_text(",text,more\n8,Fog.,x\n")
    score(monkeypatch, tmp_path / "in", tmp_path / "out.csv", chunk_size=1)
    with (tmp_path / "out.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row[""], row["more"]) for row in rows] == [("7", ""), ("8", "x")]


def test_columns_of_a_table_do_not_mix_with_those_of_documents(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("It is wet. Fog came.")
    (tmp_path / "in" / "b.csv").write_text("document,start,text\nMine,now,Rain.\n")
    scored = score(monkeypatch, tmp_path / "in", tmp_path / "out.parquet")
    assert scored["start"].tolist()[:2] == [0, 11] and scored["input_start"].tolist()[2] == "now"
    assert scored["document"].tolist()[:2] == ["a.txt"] * 2 and scored["input_document"].tolist()[2] == "Mine"


def test_a_file_of_any_name_is_scored(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / os.fsdecode(b"caf\xe9.csv")).write_text("text\nSun.\n")
    (tmp_path / "in" / os.fsdecode(b"caf\xe9.txt")).write_text("Fog.")
    scored = score(monkeypatch, tmp_path / "in", tmp_path / "out.jsonl")
    assert scored["text"].tolist() == ["Sun.", "Fog."]
    assert scored["document"][1] == "caf\\xe9.txt"


def test_an_input_that_changes_during_the_run_is_refused(tmp_path, monkeypatch):
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "Sun."}\n' * 10)

    class Slow(MaySpeculates):
        def predict_proba(self, texts):
            os.utime(source, (1, 1))
            return super().predict_proba(texts)

    use_model(monkeypatch, tmp_path / "model", Slow())
    with pytest.raises(ClaimkindError, match=r"input=.*in\.jsonl was changed while it was read"):
        engine.run(ScoreConfig(input=str(source), output=str(tmp_path / "out.csv"), chunk_size=5))
    assert not (tmp_path / "out.csv").exists()


def test_an_output_in_the_folder_of_its_input_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("text\nOne.\n\n \n")
    for _ in range(2):
        scored = score(monkeypatch, tmp_path / "in", tmp_path / "in" / "out.csv")
        assert scored["id"].tolist() == ["a.csv:0"]
    with pytest.raises(ClaimkindError, match=r"output=.*a\.csv would overwrite input=.*a\.csv: choose"):
        score(monkeypatch, tmp_path / "in" / "a.csv", tmp_path / "in" / "a.csv")
    assert (tmp_path / "in" / "a.csv").exists()


def test_one_reason_for_all_rows_is_named_once_and_nothing_is_written(tmp_path, monkeypatch):
    (tmp_path / "in.jsonl").write_text('{"body": "Sun."}\n' * 5)
    sentence = r"^none of the 5 rows of input=.*in\.jsonl can be scored: no column 'text'; see .*rejected\.jsonl$"
    with pytest.raises(ClaimkindError, match=sentence):
        score(monkeypatch, tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert len((tmp_path / "out.jsonl.rejected.jsonl").read_text().splitlines()) == 5
    assert not (tmp_path / "out.jsonl").exists()


def test_what_was_not_read_is_named_in_the_closing_lines(tmp_path, monkeypatch):
    folder = tmp_path / "in"
    (folder / ".ipynb_checkpoints").mkdir(parents=True)
    for name in ("a.csv", "b.csv", "._a.csv", ".ipynb_checkpoints/a-checkpoint.csv"):
        (folder / name).write_text("id,text\n0,Sun.\n1,\n")
    (folder / "other.csv").write_text("id,body\n0,Sun.\n")
    (folder / "notes.rtf").write_bytes(b"PK")
    (folder / "more.csv.zip").write_bytes(b"PK")
    use_model(monkeypatch, tmp_path / "model")
    summary = engine.run(ScoreConfig(input=str(folder), output=str(tmp_path / "out.csv")))
    scored = pd.read_csv(tmp_path / "out.csv")
    assert scored[["id", "file"]].to_numpy().tolist() == [[0, "a.csv"], [0, "b.csv"]]
    lines = summary.text().splitlines()
    assert "not read: other.csv has no column 'text', expected one of its columns id, body: give text_column=…" in lines
    assert "not read: files of other kinds, 1 .rtf, 2 hidden" in lines
    assert "not read: more.csv.zip cannot be read (File is not a zip file), expected .zip: check it" in lines
    assert any(line.startswith("2 rows rejected (no text), see ") for line in lines)


def test_columns_that_folders_give_are_kept(tmp_path, monkeypatch):
    for year, lang in ((2023, "en"), (2024, "fr"), (2024, "__HIVE_DEFAULT_PARTITION__")):
        folder = tmp_path / "in" / f"year={year}" / f"lang={lang}"
        folder.mkdir(parents=True)
        pd.DataFrame({"text": ["Sun."]}).to_parquet(folder / "part-0.parquet")
    scored = score(monkeypatch, tmp_path / "in", tmp_path / "out.parquet")
    scored = scored.astype(object).where(scored.notna(), None).sort_values("id")
    assert scored[["year", "lang"]].to_numpy().tolist() == [[2023, "en"], [2024, None], [2024, "fr"]]


def test_nanoseconds_are_kept(tmp_path, monkeypatch):
    when = pa.array([1, 86_399_999_999_999], pa.int64())
    rows = {"text": ["Sun.", "Fog."], "at": when.cast(pa.timestamp("ns")), "time": when.cast(pa.time64("ns"))}
    rows["took"] = when.cast(pa.duration("ns"))
    pq.write_table(pa.table(rows), tmp_path / "in.parquet")
    for chunk_size in (1, 2):
        output = tmp_path / f"out{chunk_size}.parquet"
        score(monkeypatch, tmp_path / "in.parquet", output, chunk_size=chunk_size)
        written = pq.read_table(output)
        for name in ("at", "took"):
            assert written[name].cast(pa.int64()).to_pylist() == when.to_pylist(), name
        assert written["time"].to_pylist() == ["00:00:00.000000001", "23:59:59.999999999"]
    score(monkeypatch, tmp_path / "in.parquet", tmp_path / "out.jsonl")
    first = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    assert (first["at"], first["time"]) == ("1970-01-01T00:00:00.000000001", "00:00:00.000000001")


def test_a_run_stops_at_the_first_part_with_too_many_rejected_rows(tmp_path, monkeypatch):
    (tmp_path / "in.jsonl").write_text('{"body": "Sun."}\n' * 10_000)
    with pytest.raises(TooManyRejectedError, match=r"^10 rows cannot be scored"):
        score(monkeypatch, tmp_path / "in.jsonl", tmp_path / "out.jsonl", max_rejected=5, chunk_size=10)


def test_ids_of_several_tables_differ(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    for name in "ab":
        (tmp_path / "in" / f"{name}.csv").write_text("text\nOne.\nTwo.\n")
    scored = score(monkeypatch, tmp_path / "in", tmp_path / "out.csv")
    assert scored["id"].tolist() == ["a.csv:0", "a.csv:1", "b.csv:0", "b.csv:1"]


def test_documents_are_split_and_offsets_point_at_their_text(tmp_path, monkeypatch):
    text = "It may rain.\n\nIt is wet. Sun."
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "one.md").write_text("---\ntitle: One\n---\n" + text)
    (tmp_path / "in" / "deep" / "two.txt").write_text("It may snow.")
    scored = score(monkeypatch, tmp_path / "in", tmp_path / "out.parquet")
    assert scored["document"].tolist() == ["deep/two.txt", "one.md", "one.md", "one.md"]
    one = scored[scored["document"] == "one.md"]
    assert one["sentence"].tolist() == [0, 1, 2]
    assert one["paragraph"].tolist() == [0, 1, 1]
    assert [text[start:end] for start, end in zip(one["start"], one["end"], strict=True)] == one["text"].tolist()


WRAPPED = (
    "The committee reviewed the report on Monday\r\nand may approve the budget before the end\r\nof the year. Members "
    "of the board, who met\r\ntwice, called the plan a disgrace.\r\n"
)


@pytest.mark.parametrize(("line_breaks", "sentences"), [("auto", 2), ("join", 2), ("keep", 5)])
def test_lines_of_a_hard_wrapped_text_are_joined(line_breaks, sentences, tmp_path, monkeypatch):
    (tmp_path / "in.txt").write_text(WRAPPED, newline="")
    use_model(monkeypatch, tmp_path / "model")
    config = ScoreConfig(input=str(tmp_path / "in.txt"), output=str(tmp_path / "o.jsonl"), line_breaks=line_breaks)
    summary = engine.run(config)
    scored = pd.read_json(tmp_path / "o.jsonl", lines=True)
    assert len(scored) == sentences
    for text, start, end in zip(scored["text"], scored["start"], scored["end"], strict=True):
        assert WRAPPED[start:end].split() == text.split()
    line = "line breaks within paragraphs read as blanks in 1 hard-wrapped document (in.txt)" in summary.text()
    assert line == (line_breaks != "keep")


def test_an_unknown_way_to_treat_line_breaks_is_refused(tmp_path, monkeypatch):
    (tmp_path / "in.txt").write_text(WRAPPED)
    with pytest.raises(ClaimkindError, match="line_breaks=wrap is unknown, expected one of auto, keep, join"):
        score(monkeypatch, tmp_path / "in.txt", tmp_path / "out.csv", line_breaks="wrap")


def test_a_column_of_documents_is_split_on_request(tmp_path, monkeypatch):
    ROWS.to_parquet(tmp_path / "in.parquet")
    scored = score(monkeypatch, tmp_path / "in.parquet", tmp_path / "out.jsonl", unit="document")
    assert scored["document"].tolist() == ["a", "a", "b"]
    assert scored["label"].tolist() == ["speculative", "factual", "factual"]
    assert scored["input_label"].tolist() == ["x", "x", "y"], "a column of the input is lost"


def test_documents_and_tables_are_scored_together(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("It may rain. Sun.")
    (tmp_path / "in" / "b.csv").write_text("text\nFog.\n")
    report = tmp_path / "r.html"
    scored = score(monkeypatch, tmp_path / "in", tmp_path / "out.parquet", report=str(report))
    assert scored["text"].tolist() == ["It may rain.", "Sun.", "Fog."]
    assert scored["start"].tolist()[:2] == [0, 13]
    page = report.read_text()
    assert all(text in page for text in ("It may rain.", "Sun.", "Fog.")), "the report leaves rows out"


def test_lines_of_a_text_file_are_rows_on_request(tmp_path, monkeypatch):
    (tmp_path / "in.txt").write_text("It may rain. Really.\n\nSun.\n")
    scored = score(monkeypatch, tmp_path / "in.txt", tmp_path / "out.csv", unit="sentence")
    assert scored["id"].tolist() == ["in.txt:1", "in.txt:3"]
    assert scored["label"].tolist() == ["speculative", "factual"]


def test_rows_without_an_id_are_numbered(tmp_path, monkeypatch):
    pd.DataFrame({"body": ["Sun.", "It may rain."]}).to_csv(tmp_path / "in.csv", index=False)
    scored = score(monkeypatch, tmp_path / "in.csv", tmp_path / "out.csv", text_column="body", chunk_size=1)
    assert scored["id"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"input": "no.csv"}, r"no\.csv does not exist"),
        ({"input": "in.odt"}, r"in\.odt has an unknown ending, expected one of \.txt, \.md, \.html"),
        ({"input": "empty"}, r"empty holds no file that can be read"),
        (
            {"output": "out.xlsx"},
            r"out\.xlsx has an unknown ending, expected one of \.csv, \.jsonl, \.ndjson, \.parquet",
        ),
        ({"output": "empty.csv"}, r"output=.*empty\.csv is a folder"),
        ({"output": "in.csv/o.csv"}, r"output=.*o\.csv cannot be written \(Not a directory\)"),
        ({"report": "in.csv/r.html"}, r"report=.*r\.html cannot be written"),
        ({"report": "empty"}, r"report=.*empty is a folder, expected a file"),
        ({"chunk_size": 0}, r"chunk_size=0, expected 1 or more rows"),
        ({"unit": "word"}, r"unit=word is unknown, expected one of auto, document, sentence"),
        (
            {"text_column": "body"},
            r"has no column 'body', expected one of its columns id, text, label: give",
        ),
        ({"input": "broken.parquet"}, r"broken\.parquet cannot be read"),
        ({"input": "nothing.csv"}, r"nothing\.csv holds no row to score, expected one at least"),
        ({"report": "in.csv"}, r"report=.*in\.csv is written as HTML, expected the ending \.html or \.htm"),
        ({"input": "void.csv"}, r"void\.csv has no header, expected one with the column 'text'"),
        ({"input": "o.csv.rejected.jsonl"}, r"output=.*o\.csv would overwrite input=.*o\.csv\.rejected\.jsonl"),
        ({"input": "in.html", "report": "in.html"}, r"report=.*in\.html would overwrite input=.*in\.html"),
        ({"output": "語" * 78 + ".csv"}, r"has a name of 238 bytes, expected 200 at most: shorten it"),
    ],
)
def test_what_cannot_be_scored_is_one_sentence(changes, sentence, tmp_path, monkeypatch):
    ROWS.to_csv(tmp_path / "in.csv", index=False)
    (tmp_path / "in.odt").write_bytes(b"%PDF")
    (tmp_path / "in.html").write_text("<p>It rained.</p>")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.csv").mkdir()
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    (tmp_path / "nothing.csv").write_text("id,text\n")
    (tmp_path / "void.csv").write_bytes(b"")
    if changes.get("input") == "o.csv.rejected.jsonl":
        (tmp_path / "o.csv.rejected.jsonl").write_text('{"text": "Sun."}\n')
    defaults = {"input": "in.csv", "output": "o.csv"} | ({"report": ""} if "report" in changes else {})
    paths = {name: str(tmp_path / changes.get(name, default)) for name, default in defaults.items()}
    use_model(monkeypatch, tmp_path / "model")
    with pytest.raises(ClaimkindError, match=sentence):
        engine.run(ScoreConfig(**{**changes, **paths}))
    assert not (tmp_path / "o.csv").exists()
    assert not list(tmp_path.glob(".*.part"))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("out.csv.parts/notes.txt", r"out\.csv\.parts holds notes\.txt, expected nothing but parts of"),
        (".out.csv.parts.gone/thesis.csv", r"\.parts\.gone holds thesis\.csv, expected nothing but parts of"),
        ("out.csv.parts/rejected-mine.jsonl", r"holds rejected-mine\.jsonl, expected nothing but parts of"),
        ("out.csv.rejected.jsonl", r"out\.csv\.rejected\.jsonl exists and is no list of rejected rows"),
    ],
)
def test_no_file_of_others_is_deleted(name, sentence, tmp_path, monkeypatch):
    ROWS.to_csv(tmp_path / "in.csv", index=False)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("keep\n")
    with pytest.raises(ClaimkindError, match=sentence):
        score(monkeypatch, tmp_path / "in.csv", tmp_path / "out.csv")
    assert (tmp_path / name).read_text() == "keep\n"


def test_what_an_earlier_run_left_is_deleted(tmp_path, monkeypatch):
    (tmp_path / "in.csv").write_text('text\nSun.\n""\n')
    score(monkeypatch, tmp_path / "in.csv", tmp_path / "out.csv")
    assert (tmp_path / "out.csv.rejected.jsonl").exists()
    gone = tmp_path / ".out.csv.parts.gone"
    gone.mkdir()
    for name in (".lock", "journal.json", "part-000000.csv", "rejected-000000.jsonl", ".part-000001.csv.part"):
        (gone / name).write_text("")
    ROWS.to_csv(tmp_path / "in.csv", index=False)
    score(monkeypatch, tmp_path / "in.csv", tmp_path / "out.csv")
    assert {path.name for path in tmp_path.iterdir()} == {"in.csv", "out.csv", "model"}


def test_parts_that_another_process_deletes_too_are_no_error(tmp_path, monkeypatch):
    ROWS.to_csv(tmp_path / "in.csv", index=False)
    listed = journal._files
    monkeypatch.setattr(journal, "_files", lambda folder: [*listed(folder), folder / "part-000999.csv"])
    score(monkeypatch, tmp_path / "in.csv", tmp_path / "out.csv")
    assert {path.name for path in tmp_path.iterdir()} == {"in.csv", "out.csv", "model"}


def test_a_file_that_appears_among_the_parts_is_kept(tmp_path, monkeypatch):
    ROWS.to_csv(tmp_path / "in.csv", index=False)
    with monkeypatch.context() as patch:
        finish = Journal.finish

        def finish_later(self, parts, *, any_rows):
            (self.folder / "notes.txt").write_text("keep")
            finish(self, parts, any_rows=any_rows)

        patch.setattr(Journal, "finish", finish_later)
        score(patch, tmp_path / "in.csv", tmp_path / "out.csv")
    assert [path.name for path in (tmp_path / ".out.csv.parts.gone").iterdir()] == ["notes.txt"]


def test_no_text_gives_no_row_but_all_columns():
    assert label_texts(MaySpeculates(), []).columns.tolist() == list(OUTPUT_COLUMNS)
    assert len(label_with_windows(MaySpeculates(), [])) == 0


def test_equal_sentences_are_predicted_once():
    predicted = []

    class Counts(MaySpeculates):
        def predict_proba(self, texts):
            predicted.extend(texts)
            return super().predict_proba(texts)

    labelled = label_with_windows(Counts(), ["Sun.", "It may rain.", "Sun.", "x" * 100])
    assert predicted == ["Sun.", "It may rain.", "x" * 100]
    assert labelled["label"].tolist() == ["factual", "speculative", "factual", "factual"]
    assert labelled["windows"].tolist() == [1, 1, 1, 2]


def test_a_worker_uses_one_thread(tmp_path):
    models.save(HashingClassifier(HashingSettings(bits=8)).fit(["Sun."] * 6, one_hot(list(LABELS) * 2)), tmp_path / "m")
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, initializer=start_worker, initargs=(str(tmp_path / "m"),)) as pool:
        found = pool.submit(threadpool_info).result()
    assert {library["num_threads"] for library in found} == {1}


class TestReport:
    @pytest.fixture
    def page(self, tmp_path):
        documents = pd.DataFrame({"id": ["<b>doc</b>"], "text": ["It may <script>alert(1)</script>.\n\nSun & “moon”."]})
        rows = split_documents(documents, list(map(parse_plain, documents["text"])))
        scored = pd.concat([rows, label_texts(MaySpeculates(), rows["text"].tolist())], axis=1)
        write_report(tmp_path / "r" / "report.html", scored, title="<i>Title</i>")
        return (tmp_path / "r" / "report.html").read_text(encoding="utf-8")

    def test_everything_from_the_input_is_escaped(self, page):
        assert page.count("<script") == 1  # the page's own
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "&lt;b&gt;doc&lt;/b&gt;" in page
        assert "&lt;i&gt;Title&lt;/i&gt;" in page

    def test_the_page_needs_nothing_else(self, page):
        assert "http:" not in page and "https:" not in page
        assert "src=" not in page

    def test_the_policy_of_the_page_allows_its_own_script_only(self, page):
        policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]
        script = re.search(r"<script>(.*)</script>", page, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert policy.startswith("default-src 'none'; ")
        assert f"script-src 'sha256-{digest}'" in policy

    def test_text_of_another_direction_stays_within_its_sentence(self, page):
        assert ".name, .s, .other { unicode-bidi: isolate; }" in page

    def test_labels_are_readable_without_colour(self, page):
        assert '<span class="tag">S80</span>It may' in page
        assert '<span class="tag">F90</span>Sun' in page
        assert "text-decoration-style: dashed" in page

    def test_paragraphs_and_shares_are_shown(self, page):
        assert page.count("<p>") == 2
        assert "50% factual" in page
        assert "50% speculative" in page


@pytest.mark.parametrize("document", [["a"], {"n": 1}, "a"])
def test_columns_of_the_input_that_name_no_document_group_nothing(document, tmp_path, monkeypatch):
    rows = [{"text": text, "document": document, "paragraph": {"n": 1}} for text in ("Sun.", "Fog.")]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    score(monkeypatch, tmp_path / "in.jsonl", tmp_path / "out.csv", report=str(tmp_path / "r.html"))
    assert (tmp_path / "r.html").read_text().count("<p>") == 2


def test_an_explained_report_marks_the_words_that_carry_a_label(tmp_path, monkeypatch):
    (tmp_path / "in.txt").write_text("It may <b>rain</b>. Sun.")
    score(monkeypatch, tmp_path / "in.txt", tmp_path / "out.csv", report=str(tmp_path / "r.html"), explain=True)
    page = (tmp_path / "r.html").read_text()
    assert '<span class="for" title="75 points less without it">may</span> &lt;b&gt;rain&lt;/b&gt;.' in page
    assert page.count('<span class="for" title="75') == 1


@pytest.mark.parametrize("sentence", ["Sun.", "It is wet, and nothing else."])
def test_an_explained_report_marks_one_word_at_least(sentence, tmp_path, monkeypatch):
    (tmp_path / "in.txt").write_text(sentence)
    score(monkeypatch, tmp_path / "in.txt", tmp_path / "out.csv", report=str(tmp_path / "r.html"), explain=True)
    marked = re.findall(
        r'<span class="for" title="changes by less than one point without it">(.*?)</span>',
        (tmp_path / "r.html").read_text(),
    )
    assert len(marked) == 1
    assert marked[0].isalpha()


def test_a_report_names_the_model_the_shares_and_what_was_not_read(tmp_path, monkeypatch):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("Sun. It may rain. Fog. Hail.")
    (folder / "b <x>.txt").write_text("It may rain.")
    (folder / "c.csv").write_text("id,body\n0,Sun.\n")
    (folder / "d.rtf").write_text("{}")
    score(monkeypatch, folder, tmp_path / "out.csv", report=str(tmp_path / "r.html"))
    page = (tmp_path / "r.html").read_text()
    about = re.search(r'class="about">(.*?)</p>', page)[1]
    assert str(tmp_path) in about and __version__ in about and re.search(r"20\d\d-\d\d-\d\d", about)
    assert "<span>5 sentences</span>" in page
    assert '<span class="s speculative">speculative</span> 2 (40%)' in page
    assert '<li class="name">c.csv ' in page and "files of other kinds, 1 .rtf</li>" in page
    links = re.findall(r'<a class="name" href="#(d\d)">(.*?)</a></td><td>(\d)</td><td>(.*?)</td>', page)
    assert links == [("d1", "a.txt", "4", "75%"), ("d2", "b &lt;x&gt;.txt", "1", "0%")]
    assert all(f'<section id="{name}">' in page for name, *_ in links)


def test_an_output_that_exists_is_announced_before_it_is_replaced(tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    (tmp_path / "in.txt").write_text("Sun.")
    for expected in (0, 1):
        score(monkeypatch, tmp_path / "in.txt", tmp_path / "out.csv")
        assert caplog.text.count(f"{tmp_path}/out.csv exists, and is replaced when scoring is complete") == expected


def test_a_report_on_rows_counts_rows_and_shows_their_ids(tmp_path, monkeypatch):
    (tmp_path / "in.csv").write_text("id,text\nr7,Sun.\nr8,It may rain.\n")
    score(monkeypatch, tmp_path / "in.csv", tmp_path / "out.csv", report=str(tmp_path / "r.html"))
    page = (tmp_path / "r.html").read_text()
    assert "<span>2 rows</span>" in page
    assert "· id r7" in page


def test_a_long_report_shows_the_first_sentences(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "ReportRows", lambda split: report.ReportRows(3, split=split))
    (tmp_path / "in.txt").write_text("One. Two. Three. Four. Five.")
    scored = score(
        monkeypatch, tmp_path / "in.txt", tmp_path / "out.csv", report=str(tmp_path / "r.html"), chunk_size=2
    )
    page = (tmp_path / "r.html").read_text()
    assert len(scored) == 5
    assert "in: the first 3 of 5 rows" in page
    assert "Three." in page and "Four." not in page


def test_without_a_report_there_is_nothing_to_explain(tmp_path, monkeypatch):
    with pytest.raises(ClaimkindError, match="explain=true shows words in the report, expected one"):
        score(monkeypatch, tmp_path / "in.txt", tmp_path / "out.csv", explain=True)


@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("-", "It is wet. It may rain.", ["It is wet.", "It may rain."]),
        ("-.jsonl", '{"text": "It is wet."}\n', ["It is wet."]),
    ],
)
def test_standard_input_is_scored(name, content, texts, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    use_model(monkeypatch, tmp_path / "model")
    engine.run(ScoreConfig(input=name, output=str(tmp_path / "out.jsonl")))
    assert pd.read_json(tmp_path / "out.jsonl", lines=True)["text"].tolist() == texts
