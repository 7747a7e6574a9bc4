import numpy as np
import pandas as pd
import pytest

from claimkind.dataset.evidence import evidence_rows, measure_evidence, override_evidence
from claimkind.errors import ClaimkindError


def simulated(n=40_000, sampled=0.5, seed=0):
    """A corpus whose likelihoods are known, doubly labelled on a sample that favours the rare source label."""
    random = np.random.default_rng(seed)
    likelihood = {"factual": 0.05, "speculative": 0.6, "opinion": 0.2}  # P(cue | class)
    label = random.choice(list(likelihood), n, p=[0.7, 0.2, 0.1])
    cue = random.random(n) < np.array([likelihood[name] for name in label])
    double = random.random(n) < np.where(cue, sampled, sampled / 10)
    rows = pd.DataFrame({"source": "s", "source_label": np.where(cue, "cue", "none"), "label": label})
    rows.loc[~double, "label"] = None
    return rows, likelihood


def test_the_true_likelihoods_are_found_although_the_sample_is_skewed():
    rows, likelihood = simulated()
    measured = measure_evidence(rows, pd.Series(True, index=rows.index))["s"]
    assert measured["cue"] == pytest.approx(list(likelihood.values()), abs=0.03)
    assert np.add(measured["cue"], measured["none"]) == pytest.approx([1, 1, 1], abs=1e-3)


def test_labels_off_the_training_side_are_not_looked_at():
    rows, _ = simulated(n=4000)
    train = pd.Series(np.arange(len(rows)) % 2 == 0, index=rows.index)
    changed = rows.assign(label=rows["label"].mask(~train & rows["label"].notna(), "opinion"))
    assert measure_evidence(rows, train) == measure_evidence(changed, train)


def test_without_any_doubly_labelled_row_a_source_says_nothing():
    rows = pd.DataFrame({"source": "s", "source_label": ["a", "b", "b"], "label": [None, None, None]})
    table = measure_evidence(rows, pd.Series([True] * 3))["s"]
    assert all(len(set(values)) == 1 for values in table.values())


def test_likelihoods_of_many_source_labels_keep_their_digits():
    names = [f"topic {number}" for number in range(1000)]
    rows = pd.DataFrame({"source": "s", "source_label": names * 30, "label": ["factual"] * 1000 + ["opinion"] * 29_000})
    table = measure_evidence(rows, pd.Series(True, index=rows.index))["s"]
    assert np.sum(list(table.values()), axis=0) == pytest.approx([1, 1, 1], abs=1e-3)


def test_a_source_may_fix_its_evidence_by_hand():
    fixed = override_evidence({"s": {"a": [0.1, 0.2, 0.3]}}, {"s": {"a": ["speculative", "opinion"]}})
    assert fixed == {"s": {"a": [0.0, 1.0, 1.0]}}
    twice = override_evidence({"s": {"a": [0.1, 0.2, 0.3]}}, {"s": {"a": ["opinion", "opinion"]}})
    assert twice == {"s": {"a": [0.0, 0.0, 1.0]}}, "a likelihood is 1 at most"
    with pytest.raises(ClaimkindError, match=r"dataset\.sources\.s\.evidence names 'b', which no row has"):
        override_evidence({"s": {"a": [0.1, 0.2, 0.3]}}, {"s": {"b": ["opinion"]}})


def test_our_labels_are_one_hot_and_others_take_the_evidence_of_their_source():
    rows = pd.DataFrame({"source": ["s", "s"], "source_label": ["a", "a"], "label": ["opinion", None]})
    assert evidence_rows(rows, {"s": {"a": [0.1, 0.2, 0.3]}}).tolist() == [[0, 0, 1], [0.1, 0.2, 0.3]]
