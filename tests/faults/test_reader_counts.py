"""What goes into a file comes out of it: each row is read or rejected, each word of a document is in one passage."""

import gzip
import json
import random
import re
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from claimkind.config import ScoreConfig
from claimkind.io.base import TableOptions
from claimkind.io.columns import Columns
from claimkind.io.files import list_files
from claimkind.io.input_file import InputFile
from claimkind.io.readers import read_document, read_rows
from claimkind.io.tables import read_table
from claimkind.scoring import engine
from claimkind.text.shapes import labelled_passages
from tests.faults.test_readers import INPUTS
from tests.unit.io.documents import write_pdf
from tests.unit.scoring.test_scoring import use_model

GOOD, BAD = "good", "bad"
BLANKS = ["", "  ", "\t", "\u200b", "\u00ad\u2060", "\u3164"]
WORDS = ["Sun", "may", "rain", "café", "“no”", "5%", "U.S.", "it’s", "語", "🎉", "(so)", "3.5", "a;b", "x|y", "it, too"]


def sentence(chance):
    return " ".join(chance.choice(WORDS) for _ in range(chance.randrange(1, 8))) + "."


def make_rows(chance):
    """Rows with their ids, and whether each is good."""
    kinds = [chance.choice([GOOD, GOOD, GOOD, BAD]) for _ in range(chance.randrange(1, 12))]
    return [(f"r{number}", sentence(chance), kind) for number, kind in enumerate(kinds)]


def csv_cell(text):
    return '"' + text.replace('"', '""') + '"'


def csv_bytes(rows, chance):
    separator, end = chance.choice([",", ";", "\t", "|"]), chance.choice(["\n", "\r\n", "\r"])
    title = chance.choice([[], ["Stories"], ["Stories of June", ""]]) if len(rows) > 2 else []
    lines = [*title, separator.join(["id", "n", "text"])]
    for key, text, kind in rows:
        cells = [key, "1", csv_cell(text)]
        if kind == BAD:
            faults = [cells[:2], [*cells, "4"], [key, "1", csv_cell(chance.choice(BLANKS))]]
            cells = chance.choice(faults)
        lines.append(separator.join(cells))
        lines += [""] * (chance.random() < 0.1)
    return end.join([*lines, ""]).encode()


def json_rows(rows, chance):
    for key, text, kind in rows:
        faults = [{"id": key}, {"id": key, "text": None}, {"id": key, "text": chance.choice(BLANKS)},
                  {"id": key, "text": {"a": 1}}, {"id": key, "text": ["a"]}, 7, None, "text", [1]]  # fmt: skip
        yield {"id": key, "text": text, "n": [1, {"a": None}]} if kind == GOOD else chance.choice(faults)


def jsonl_bytes(rows, chance):
    lines = [json.dumps(row, ensure_ascii=chance.random() < 0.5) for row in json_rows(rows, chance)]
    lines = [line[:-1] if '"text": null' in line else line for line in lines]  # no JSON
    return "\n".join([*lines, *[""] * chance.randrange(3)]).encode()


def json_bytes(rows, chance):
    values = list(json_rows(rows, chance))
    if chance.random() < 0.3 and any(kind == GOOD for *_, kind in rows):
        return json.dumps({"count": len(values), "data": {"rows": values}}).encode()
    return json.dumps(values, indent=chance.choice([None, 2])).encode()


def write_parquet(path, rows, chance):
    texts = [text if kind == GOOD else chance.choice([None, *BLANKS]) for _, text, kind in rows]
    table = pa.table({"id": [key for key, *_ in rows], "text": pa.array(texts, pa.string())})
    pq.write_table(table, path, row_group_size=chance.randrange(1, 5))


def write_xlsx(path, rows, chance):
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for title in chance.choice([[], [["Stories of June"], []]]):
        sheet.append(title)
    sheet.append(["id", "text", "n"])
    for key, text, kind in rows:
        faults = [[key], [key, chance.choice(BLANKS)], [key, text, 1, "too many"]]
        sheet.append([key, text, 1] if kind == GOOD else chance.choice(faults))
    book.save(path)


BYTES = {".csv": csv_bytes, ".tsv": csv_bytes, ".jsonl": jsonl_bytes, ".ndjson": jsonl_bytes, ".json": json_bytes}
WRITERS = {".parquet": write_parquet, ".xlsx": write_xlsx}
TABLES = [*BYTES, *WRITERS]


def write_table(path, rows, chance):
    """Write rows in the format of a path, at most compressed by gzip."""
    ending = path.name.removesuffix(".gz")[path.name.index(".") :]
    if ending in WRITERS:
        WRITERS[ending](path, rows, chance)
        return
    content = BYTES[ending](rows, chance)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def expected(rows):
    return [(key, text) for key, text, kind in rows if kind == GOOD]


@pytest.mark.parametrize("ending", [*TABLES, ".csv.gz", ".jsonl.gz"])
def test_good_rows_are_read_and_each_bad_one_is_rejected(ending, tmp_path):
    chance = random.Random(ending)  # noqa: S311 - for tests
    path = tmp_path / f"in{ending}"
    for _ in range(INPUTS):
        rows = make_rows(chance)
        write_table(path, rows, chance)
        chunks = list(
            read_rows(InputFile(path, path.name, alone=False), Columns(), TableOptions(chance.randrange(1, 9)))
        )
        read = [pair for chunk in chunks for pair in zip(chunk.rows["id"], chunk.rows["text"], strict=True)]
        rejected = [entry for chunk in chunks for entry in chunk.rejected]
        assert read == expected(rows), path.read_bytes()
        assert [entry.row for entry in rejected] == [n for n, row in enumerate(rows) if row[2] == BAD], (
            path.read_bytes()
        )
        assert all(entry.reason for entry in rejected)


@pytest.mark.parametrize("ending", TABLES)
def test_a_labelled_table_gives_its_good_rows_and_a_list_of_the_bad_ones(ending, tmp_path):
    chance = random.Random(ending)  # noqa: S311 - for tests
    path = tmp_path / f"in{ending}"
    for _ in range(INPUTS // 2):
        rows = make_rows(chance)
        write_table(path, rows, chance)
        if not expected(rows) and ending in (".json", ".jsonl", ".ndjson"):
            continue  # no row may have the column
        table = read_table(path, text_column="text")
        assert [row[2] for row in rows].count(BAD) == len(table.rejected), path.read_bytes()
        if expected(rows):
            assert list(zip(table.rows["id"], table.rows["text"], strict=True)) == expected(rows)
        assert len(table.places) == len(expected(rows))


def pdf_bytes(paragraphs, path, chance):
    lines = [line for text, _ in paragraphs for line in re.findall(r".{1,60}(?:\s|$)", text)]
    size = chance.randrange(1, 9)
    write_pdf(path, [lines[first : first + size] for first in range(0, len(lines), size)])


def write_docx(paragraphs, path, chance):
    import docx

    document = docx.Document()
    for text, kind in paragraphs:
        if kind == "table":
            document.add_table(1, 1).cell(0, 0).text = text
        elif kind == "h":
            document.add_heading(text, chance.randrange(1, 4))
        else:
            document.add_paragraph(text, style="List Bullet" if kind == "li" else None)
    document.save(path)


def write_html(paragraphs, path, chance):
    tags = {"p": ["p", "div", "blockquote", "section"], "h": ["h1", "h3"], "li": ["li", "dd"], "table": ["td", "th"]}
    inline = [
        "<b>{}</b>",
        "{}",
        '<a href="x">{}</a>',
        "<span class=x>{}</span>",
        "{}<!-- no -->",
        "{}<script>no()</script>",
    ]
    parts = []
    for text, kind in paragraphs:
        tag = chance.choice(tags[kind])
        words = [chance.choice(inline).format(word.replace("&", "&amp;").replace("<", "&lt;")) for word in text.split()]
        parts.append(f"<{tag}>{' '.join(words)}" + (f"</{tag}>" if chance.random() < 0.7 else ""))
    path.write_text("<html><body>" + chance.choice(["", "\n"]).join(parts), encoding="utf-8")


def write_markdown(paragraphs, path, chance):
    marks = {"p": ["", "> ", ""], "h": ["# ", "### "], "li": ["- ", "* ", "1. "], "table": [""]}
    parts = [chance.choice(marks[kind]) + text for text, kind in paragraphs]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def write_text(paragraphs, path, chance):
    end = chance.choice(["\n", "\r\n", "\r", "\n\n"])
    mark = chance.choice(["", "", "> "])
    path.write_bytes(
        end.join(mark + text for text, _ in paragraphs).encode(chance.choice(["utf-8", "utf-8-sig", "utf-16"]))
    )


DOCUMENTS = {
    ".txt": write_text, ".md": write_markdown, ".html": write_html, ".docx": write_docx,
    ".pdf": lambda paragraphs, path, chance: pdf_bytes(paragraphs, path, chance),
}  # fmt: skip
PLAIN = ["Sun", "may", "rain.", "The", "council", "met", "3.5", "(so)", "it,", "Mr.", "Lee", "left!", "Why?"]


def make_paragraphs(chance):
    kinds = ["p", "p", "p", "h", "li", "table"]
    words = (
        " ".join(chance.choice(PLAIN) for _ in range(chance.randrange(1, 20))) for _ in range(chance.randrange(1, 9))
    )
    return [(text, chance.choice(kinds)) for text in words]


@pytest.mark.parametrize("ending", DOCUMENTS)
def test_each_word_of_a_document_is_in_one_passage(ending, tmp_path):
    chance = random.Random(ending)  # noqa: S311 - for tests
    path = tmp_path / f"in{ending}"
    for _ in range(INPUTS if ending != ".docx" else INPUTS // 10):
        paragraphs = make_paragraphs(chance)
        DOCUMENTS[ending](paragraphs, path, chance)
        parsed = read_document(InputFile(path, path.name)).parsed
        found = [word for passage in labelled_passages(parsed) for word in passage.text.split()]
        words = [word for text, _ in paragraphs for word in text.split()]
        if ending == ".pdf":  # lines that most pages repeat are read once
            assert set(found) == set(words), path.read_bytes()
        else:
            assert found == words, path.read_bytes()


def write_folder(folder, chance):
    """Write some files of tables and documents, an archive, and files that are not read; return what is in them."""
    good, bad, others = [], 0, 0
    for number in range(chance.randrange(1, 6)):
        kind = chance.choice(["table", "table", "text", "zip", "hidden", "other", "damaged"])
        inner = folder / chance.choice([".", "a", f"year={number}"])
        inner.mkdir(parents=True, exist_ok=True)
        rows = [(f"{number}-{key}", text, state) for key, text, state in make_rows(chance)]
        if kind in ("table", "zip"):
            ending = chance.choice([".csv", ".jsonl", ".json"])
            content = BYTES[ending](rows, chance)
            if kind == "table":
                (inner / f"{number}{ending}").write_bytes(content)
            else:
                with zipfile.ZipFile(inner / f"{number}.zip", "w") as archive:
                    archive.writestr(f"{number}{ending}", content)
                    archive.writestr(f"__MACOSX/._{number}{ending}", b"\x00\x05")
            good += [text for _, text in expected(rows)]
            bad += len(rows) - len(expected(rows))
        elif kind == "text":
            (inner / f"{number}.txt").write_text("It rained.", encoding="utf-8")
            good.append("It rained.")
        else:
            name = {"hidden": f".{number}.csv", "other": f"{number}.rtf", "damaged": f"{number}.zip"}[kind]
            (inner / name).write_bytes(b"text\nx\n")
            others += kind != "damaged"
            bad += kind == "damaged"
    return good, bad, others


def test_rows_of_a_folder_are_scored_or_rejected_and_other_files_are_counted(tmp_path, monkeypatch):
    chance = random.Random("folder")  # noqa: S311 - for tests
    use_model(monkeypatch, tmp_path / "model", OneLabel())
    for number in range(max(1, INPUTS // 20)):
        folder, output = tmp_path / f"in{number}", tmp_path / f"out{number}.jsonl"
        good, bad, others = write_folder(folder, chance)
        if not good:
            continue
        config = ScoreConfig(input=str(folder), output=str(output), chunk_size=chance.randrange(1, 9), processes=1)
        summary = engine.run(config)
        scored = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
        notes = output.with_name(f"{output.name}.rejected.jsonl")
        rejected = notes.read_text(encoding="utf-8").splitlines() if notes.exists() else []
        assert sorted(row["text"] for row in scored) == sorted(good)
        assert len(rejected) == bad == summary.rejected
        assert sum(summary.skipped.values()) - hidden_in_archives(folder) == others


def hidden_in_archives(folder):
    listing = list_files(folder)
    return len({file.path for file in listing.files if file.member})


class OneLabel:
    """Calls every text factual."""

    single_threaded = False
    compute_dtype = ""
    abstain_below = 0.0

    def predict_proba(self, texts):
        return np.tile([0.8, 0.1, 0.1], (len(texts), 1))

    def windows(self, texts):
        return np.ones(len(texts), dtype=int)


def test_any_damage_to_an_archive_is_a_reason(tmp_path):
    chance = random.Random("zip")  # noqa: S311 - for tests
    path = tmp_path / "in.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a.csv", "b.csv"):
            archive.writestr(name, "text\n" + "".join(f"Sun {n}.\n" for n in range(50)))
    whole = path.read_bytes()
    for _ in range(INPUTS):
        damaged = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / "a.zip").write_bytes(
            damaged[: chance.choice([len(damaged), chance.randrange(len(damaged))])]
        )
        (tmp_path / "in" / "b.csv").write_text("text\nFog.\n")
        listing = list_files(tmp_path / "in")
        assert all(entry.reason and "\n" not in entry.reason for entry in listing.rejected)
        for file in listing.files:
            for chunk in read_rows(file, Columns(), TableOptions()):
                assert all(entry.reason and "\n" not in entry.reason for entry in chunk.rejected)


def test_folders_of_partitions_give_their_columns(tmp_path):
    chance = random.Random("hive")  # noqa: S311 - for tests
    path = tmp_path / "in"
    for number in range(max(1, INPUTS // 20)):
        root = path / str(number)
        rows = [
            (sentence(chance), chance.randrange(1990, 2030), chance.choice(["en", "fr", "New%20York"]))
            for _ in range(5)
        ]
        for place, (text, year, lang) in enumerate(rows):
            folder = root / f"year={year}" / f"lang={lang}"
            folder.mkdir(parents=True, exist_ok=True)
            pd.DataFrame({"text": [text]}).to_parquet(folder / f"{place}.parquet")
        read = [
            (row["text"], row["year"], row["lang"])
            for file in list_files(root).files
            for chunk in read_rows(file, Columns(), TableOptions())
            for row in chunk.rows.to_dict("records")
        ]
        assert sorted(read) == sorted((text, year, lang.replace("%20", " ")) for text, year, lang in rows)
