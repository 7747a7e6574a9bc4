import json
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claimkind.text.front_matter import read_document
from claimkind.text.sentences import split_sentences
from tests.conftest import ROOT

SEEDS = ROOT / "seeds"


def read_cases(name: str) -> list[dict]:
    return [json.loads(line) for line in (Path(__file__).parent / name).read_text("utf-8").splitlines()]


CASES = read_cases("sentence_cases.jsonl")
NEWSROOM_CASES = read_cases("newsroom_cases.jsonl")


def texts(text: str) -> list[str]:
    return [sentence.text for sentence in split_sentences(text)]


@pytest.mark.parametrize("case", CASES + NEWSROOM_CASES, ids=lambda case: f"{case['kind']}: {case['text'][:30]}")
def test_a_hard_case_is_split_as_a_person_would(case) -> None:
    assert texts(case["text"]) == case["sentences"]


def test_a_quotation_of_two_sentences_is_split_and_offsets_point_at_the_text() -> None:
    text = "A tweet said, “If they are there, it could change things. We might see a shift.” This grows.\n\nAn end"
    sentences = split_sentences(text)
    assert [s.text for s in sentences] == [
        "A tweet said, “If they are there, it could change things.",
        "We might see a shift.”",
        "This grows.",
        "An end",
    ]
    assert all(text[s.start : s.end] == s.text for s in sentences)


def test_no_sentence_of_the_seed_documents_crosses_the_border_of_a_label() -> None:
    labels: dict[str, set[tuple[int, int]]] = {}
    for line in (SEEDS / "labels" / "documents.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        labels.setdefault(row["document"], set()).add((row["start"], row["end"]))
    parted = []
    for name, spans in labels.items():
        sentences = {(s.start, s.end) for s in split_sentences(read_document(SEEDS / "documents" / f"{name}.md").text)}
        assert {start for start, _ in spans} <= {start for start, _ in sentences}, name
        assert {end for _, end in spans} <= {end for _, end in sentences}, name
        parted += spans - sentences
    # An earlier splitter took *May*, *me* and *h* for abbreviations, so that some pairs of sentences carry one label.
    assert len(parted) == 7
    assert len(labels["article"]) == 27


def test_empty_and_blank_texts_have_no_sentence() -> None:
    assert split_sentences("") == []
    assert split_sentences(" \n\n \t ") == []


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\u2028", "\u2029"])
def test_a_line_break_ends_a_sentence(line_break) -> None:
    assert texts(f"Storm warning{line_break}(It rains{line_break}in Spain)") == [
        "Storm warning",
        "(It rains",
        "in Spain)",
    ]


@pytest.mark.parametrize("blank", ["\u00a0", "\u0085", "\u2003", "\u3000"])
def test_a_foreign_blank_behind_a_letter_is_a_blank(blank) -> None:
    assert texts(f"Take vitamin A{blank}. It helps.") == [f"Take vitamin A{blank}.", "It helps."]
    assert texts(f"It rains.{blank}Mr.{blank}Lee left.") == ["It rains.", f"Mr.{blank}Lee left."]


def test_a_bracket_that_is_never_closed_joins_no_sentences() -> None:
    assert texts("It began (so they say. It rained. (He left.)") == [
        "It began (so they say.",
        "It rained.",
        "(He left.)",
    ]
    assert len(texts("It began (so they say. " + "It rained. " * 200 + "It ended.)")) == 202


# Marks, brackets, blanks, line breaks and letters of both cases, so that most examples hold many boundaries.
_PIECES = st.sampled_from(
    [*"ab AB.!?…\"“”'()[]*19-—:;,\n\r\t", "\u2028", "\u00a0", "é", "É", "🎉", "¹", "Mr.", "U.S.", "etc."]
)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.one_of(st.text(), st.lists(_PIECES, max_size=60).map("".join)))
def test_every_character_of_any_text_lies_in_exactly_one_sentence_of_one_line(text) -> None:
    sentences = split_sentences(text)
    assert all(text[s.start : s.end] == s.text == s.text.strip() != "" for s in sentences)
    assert all(before.end <= after.start for before, after in pairwise(sentences))
    assert "".join("".join(s.text for s in sentences).split()) == "".join(text.split())
    assert not any(set(s.text) & set("\r\n\u2028\u2029") for s in sentences)


@pytest.mark.parametrize("piece", ["It rains in Spain. ", "“It rains.” It said (so. "])
def test_a_long_line_is_split_as_a_short_one(piece) -> None:
    assert texts(piece * 15_000)[:100] == texts(piece * 100)[:100]
    assert len(texts("?" * 300_000)) == 1


@pytest.mark.parametrize(
    "piece",
    [
        '"',
        '." ',
        '?" ',
        "(",
        "(a. ",
        ").(",
        "[1 ",
        ".[1",
        ".",
        ". ",
        ".)",
        "… ",
        "St. ",
        "U.S. ",
        "1. ",
        "🎉",
        ".🎉 ",
        "\n",
        " ",
    ],
)
def test_time_grows_with_the_length_of_a_line_and_not_with_its_square(piece) -> None:
    # The square of 200,000 characters would take minutes, even in C.
    start = time.process_time()
    split_sentences("word " + piece * (200_000 // len(piece)))
    assert time.process_time() - start < 5
