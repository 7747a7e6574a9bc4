"""Readers, the splitter and the journal take whatever comes: nothing is lost, and nothing but one sentence is raised.

Hypothesis draws the cases. `INPUTS=10000 pytest -m slow tests/faults/test_fuzzing.py tests/faults/test_models.py` draws
many; the seed is fixed, and `SEED=…` sets another.
"""

import csv
import io
import json
import os

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from claimkind.errors import ClaimkindError
from claimkind.io.base import TableOptions
from claimkind.io.columns import Columns
from claimkind.io.input_file import InputFile
from claimkind.io.readers import read_rows
from claimkind.io.rows import Rejected
from claimkind.scoring.inputs import ReadOptions, read_units
from claimkind.scoring.journal import Journal
from claimkind.text.sentences import split_sentences

pytestmark = pytest.mark.slow
INPUTS, SEED = int(os.environ.get("INPUTS", "200")), int(os.environ.get("SEED", "0"))
MARKS = "\"'“”‘’«»()[]{}<>.!?…,;:-–—*_#`|\\/&=+@~\t\r\n\x0b\x0c\x1c\u0085\u2028\u2029\ufeff\u200b\x00"


def many(test):
    """Run a test with drawn input `INPUTS` times."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
    return seed(SEED)(settings(max_examples=INPUTS, deadline=None, database=None, suppress_health_check=checks)(test))


TEXTS = st.text(st.one_of(st.sampled_from(MARKS), st.characters(exclude_categories=["Cs"])), max_size=60)
PHRASES = ["Rain fell.", "It may rain!", "“A shame,” she said.", "Mr. A. Lee left", "- ", "| a | b |", *MARKS]
SENTENCES = st.lists(st.sampled_from(PHRASES))


def texts_of(path, separator=None):
    """The texts of all rows that are scored, and how many are rejected."""
    chunks = list(read_rows(InputFile(path, path.name), Columns(), TableOptions(3, separator)))
    return [text for chunk in chunks for text in chunk.rows["text"]], sum(len(chunk.rejected) for chunk in chunks)


def as_csv(texts, draw):
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator=draw(st.sampled_from(["\n", "\r\n"])))
    writer.writerows([["id", "text"], *enumerate(texts)])
    return stream.getvalue()


def as_jsonl(texts, draw):
    ascii_only = draw(st.booleans())
    return "".join(json.dumps({"id": n, "text": text}, ensure_ascii=ascii_only) + "\n" for n, text in enumerate(texts))


def as_json(texts, draw):
    return json.dumps(
        [{"id": n, "text": text} for n, text in enumerate(texts)], indent=draw(st.sampled_from([None, 1]))
    )


@pytest.mark.parametrize(("ending", "write"), [(".csv", as_csv), (".jsonl", as_jsonl), (".json", as_json)])
def test_every_row_that_is_written_is_scored_or_rejected(ending, write, tmp_path):
    path = tmp_path / f"in{ending}"

    @many
    @given(st.lists(TEXTS, min_size=1, max_size=9), st.data())
    def check(texts, data):
        path.write_text(write(texts, data.draw), encoding="utf-8", newline="")
        scored, rejected = texts_of(path, "," if ending == ".csv" else None)
        assert len(scored) + rejected == len(texts)
        assert set(scored) <= set(texts), "a text was changed"

    check()


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".json", ".txt", ".md", ".html"])
def test_any_text_is_rows_or_one_sentence(ending, tmp_path):
    path = tmp_path / f"in{ending}"

    @many
    @given(st.one_of(TEXTS, st.lists(TEXTS).map("\n".join), SENTENCES.map("".join)).map(lambda text: "text\n" + text))
    def check(text):
        path.write_bytes(text.encode())
        try:
            chunks = list(read_units([InputFile(path, path.name)], ReadOptions()))
        except ClaimkindError as error:
            assert "\n" not in str(error)
            return
        for chunk in chunks:
            assert all(isinstance(found, str) and found.strip() for found in chunk.rows.get("text", []))

    check()


@many
@given(st.one_of(TEXTS, SENTENCES.map("".join), SENTENCES.map(" ".join)))
def test_every_visible_character_is_in_one_sentence(text):
    sentences = split_sentences(text)
    covered = [place for sentence in sentences for place in range(sentence.start, sentence.end)]
    assert covered == sorted(set(covered)), "sentences overlap or are out of order"
    assert all(text[sentence.start : sentence.end] == sentence.text for sentence in sentences)
    assert all(text[place].isspace() for place in set(range(len(text))) - set(covered))


@st.composite
def damaged(draw, content):
    """The bytes of a file with up to three of them changed, or cut off; None for no file."""
    if draw(st.integers(0, 4)) == 0:
        return None
    changed = bytearray(content)
    for place, byte in draw(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=3)):
        changed[place] = byte
    return bytes(changed[: draw(st.sampled_from([len(content), draw(st.integers(0, len(content)))]))])


PARTS = [pd.DataFrame({"id": ["a", "b"], "text": ["=Rain.", f"Sun {n}."], "confidence": [0.5, 0.25]}) for n in range(4)]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_parts_are_read_as_they_were_written_or_not_at_all(ending, tmp_path):
    rejected = [Rejected("in", 3, "no text")]
    folder = tmp_path / f"out.{ending}.parts"

    def opened():
        return Journal(tmp_path / f"out.{ending}", escape_formulas=True).opened({"a": 1})

    @many
    @given(st.data())
    def check(data):
        with opened() as journal:
            for number, rows in list(enumerate(PARTS))[journal.done :]:
                journal.write(number, rows, rejected[: number % 2])
        files = [path for path in sorted(folder.iterdir()) if path.name not in (".lock", "journal.json")]
        path = data.draw(st.sampled_from(files))
        content = data.draw(damaged(path.read_bytes()))
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        with opened() as journal:
            for number in range(journal.done):
                rows, notes = journal.read(number)
                pd.testing.assert_frame_equal(rows, PARTS[number], check_dtype=False)
                assert notes == rejected[: number % 2]

    check()
