"""Rows and sentences come in chunks of one size."""

import pandas as pd

from claimkind.io.rows import Chunk, Rejected
from claimkind.scoring import inputs
from claimkind.scoring.inputs import regroup, split_documents
from claimkind.text.plain import parse_plain


def test_chunks_are_regrouped_to_one_size_in_order():
    def rows(first, end):
        return pd.DataFrame({"id": [str(n) for n in range(first, end)], "text": "x"})

    bad = [Rejected("f", number, "no text") for number in range(2)]
    chunks = [Chunk(rows(0, 2), []), Chunk(rows(2, 2), [bad[0]]), Chunk(rows(2, 9), []), Chunk(rows(9, 10), [bad[1]])]
    grouped = list(regroup(chunks, 4))
    assert [len(chunk.rows) for chunk in grouped] == [4, 4, 2]
    assert [name for chunk in grouped for name in chunk.rows["id"]] == [str(n) for n in range(10)]
    assert [entry for chunk in grouped for entry in chunk.rejected] == bad


def test_a_chunk_is_given_on_when_much_is_held(monkeypatch):
    bad = [Rejected("f", number, "no text") for number in range(9)]
    grouped = list(regroup([Chunk(pd.DataFrame(), bad[:4]), Chunk(pd.DataFrame(), bad[4:])], 4))
    assert [chunk.rejected for chunk in grouped] == [bad[:4], bad[4:]], "what cannot be scored is held without bound"
    monkeypatch.setattr(inputs, "MOST_CHARACTERS", 1000)
    rows = pd.DataFrame({"id": ["a", "b"], "text": ["x" * 600, "x" * 600]})
    assert [len(chunk.rows) for chunk in regroup([Chunk(rows, []), Chunk(rows, [])], 100)] == [2, 2]
    rows = pd.DataFrame({"id": ["a", "b"], "text": ["x", "x"], "page": ["x" * 600, ["x" * 600]]})
    assert [len(chunk.rows) for chunk in regroup([Chunk(rows, []), Chunk(rows, [])], 100)] == [2, 2]


def test_invisible_characters_between_sentences_are_no_sentence():
    text = "It is wet.\n\u200b\nIt may rain.\n\u00ad"
    rows = split_documents(pd.DataFrame({"id": ["a"]}), [parse_plain(text)])
    assert rows[["sentence", "paragraph", "text"]].to_numpy().tolist() == [[0, 0, "It is wet."], [1, 1, "It may rain."]]
