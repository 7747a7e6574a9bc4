import hashlib
import json

import numpy as np
import pytest

from claimkind.dataset.near_duplicates import normalise
from claimkind.errors import ClaimkindError
from claimkind.evaluation.behaviour import Pair, pass_rates, read_pairs
from claimkind.labels import label_indices
from tests.conftest import ROOT

SUITE = ROOT / "seeds" / "behaviour" / "pairs.jsonl"


class Keyword:
    """Says speculative where it reads *may*, opinion where it reads *bad*."""

    def predict_proba(self, texts):
        labels = ["speculative" if "may" in t else "opinion" if "bad" in t else "factual" for t in texts]
        return np.eye(3)[label_indices(labels)]

    def save(self, folder):
        raise AssertionError


def test_an_edit_that_changes_the_label_must_be_right_on_both_sides():
    pairs = [
        Pair("hedge", "Rain fell.", "factual", "Rain may fall.", "speculative"),
        Pair("hedge", "Snow fell.", "factual", "Snow might fall.", "speculative"),
        Pair("names", "It was poor.", "opinion", "That was poor.", "opinion"),
        Pair("names", "It was bad.", "opinion", "It was poor.", "opinion"),
    ]
    table = pass_rates(Keyword(), pairs)
    # An edit that must change nothing passes with the same label on both sides, right or wrong.
    assert table.to_dict("list") == {
        "group": ["hedge", "names", "all"], "pairs": [2, 2, 4], "passed": [1, 1, 2], "rate": [0.5, 0.5, 0.5],
    }  # fmt: skip


def test_the_suite_is_as_large_as_it_claims():
    pairs = read_pairs(SUITE)
    groups = {pair.group for pair in pairs}
    assert len(pairs) >= 300
    assert len(groups) >= 15
    for group in groups:
        kinds = {pair.label != pair.edited_label for pair in pairs if pair.group == group}
        assert len(kinds) == 1, f"{group} mixes edits that change the label with edits that do not"


def test_nothing_may_be_trained_on_the_suite():
    refused = (ROOT / "seeds" / "benchmarks" / "behaviour.txt").read_text().split()
    texts = {normalise(text) for pair in read_pairs(SUITE) for text in (pair.text, pair.edited)}
    assert sorted(hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts) == refused


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"label": "fact"}, "found an unknown label"), ({"edited": 3}, "expected the texts group, text, label, edited")],
)
def test_a_damaged_suite_is_one_sentence(tmp_path, change, sentence):
    row = {"group": "g", "text": "a", "label": "factual", "edited": "b", "edited_label": "factual", **change}
    (tmp_path / "pairs.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(ClaimkindError, match=rf"pairs\.jsonl:1: .*{sentence}"):
        read_pairs(tmp_path / "pairs.jsonl")
