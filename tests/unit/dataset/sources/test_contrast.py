import json

import pytest

from claimkind.dataset.rows import text_sha
from claimkind.dataset.sources.contrast import ContrastPairs
from claimkind.errors import ClaimkindError


def side(pair, name, text, label):
    return {
        "pair": pair, "side": name, "kind": "hedge", "text": text, "sha": text_sha(text), "label": label,
        "votes": [label] * 2, "certainty": [3, 3], "rule": "m-side",
    }  # fmt: skip


@pytest.fixture
def write(tmp_path):
    def write(*rows):
        path = tmp_path / "pairs.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return ContrastPairs(str(path), "CC0-1.0")

    return write


A = side("hedge-1", "a", "Rain fell.", "factual")
B = side("hedge-1", "b", "Rain may fall.", "speculative")


def test_both_sides_of_a_pair_are_one_group(write):
    rows = write(A, B).read("contrast")
    assert rows["id"].tolist() == ["contrast:hedge-1:a", "contrast:hedge-1:b"]
    assert set(rows["group"]) == {"contrast:hedge-1"}
    assert rows["pair"].tolist() == ["hedge-1"] * 2


def test_a_pair_whose_label_does_not_change_is_refused(write):
    with pytest.raises(ClaimkindError, match=r"pairs\.jsonl:1: the pair 'hedge-1' has 2 sides labelled factual, fact"):
        write(A, {**B, "label": "factual"}).read("contrast")


def test_a_lonely_side_is_refused(write):
    with pytest.raises(ClaimkindError, match="has 1 sides labelled factual, expected two sides"):
        write(A).read("contrast")


def test_an_edited_side_must_be_labelled_anew(write):
    with pytest.raises(ClaimkindError, match=r"pairs\.jsonl:2: the sentence was edited after it was labelled"):
        write(A, {**B, "text": "Rain might fall."}).read("contrast")


def test_a_side_without_votes_has_its_label_as_the_only_vote(write):
    sides = ({name: value for name, value in row.items() if name != "votes"} for row in (A, B))
    assert write(*sides).read("contrast")["votes"].tolist() == [["factual"], ["speculative"]]


def test_an_empty_file_is_refused(write):
    with pytest.raises(ClaimkindError, match=r"pairs\.jsonl is empty, expected contrast pairs"):
        write().read("contrast")
