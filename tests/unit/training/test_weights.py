import numpy as np
import pandas as pd
import pytest

from claimkind.errors import ClaimkindError
from claimkind.training.weights import RowWeighting, training_weights

ROWS = pd.DataFrame({"source": ["ours", "ours", "ours", "news", "news"], "label": [0, 1, 2, 0, None]})


def weights(seed=0, **settings):
    return training_weights(ROWS, RowWeighting(**settings), seed).tolist()


def test_rows_without_a_label_have_the_weight_of_evidence():
    assert weights() == [1, 1, 1, 1, 0]
    assert weights(evidence_weight=0.25) == [1, 1, 1, 1, 0.25]


def test_source_weights_are_factors_for_all_rows_of_a_source():
    assert weights(source_weights={"news": 0.5}, evidence_weight=0.5) == [1, 1, 1, 0.5, 0.25]
    assert weights(source_weights={"ours": 0}) == [0, 0, 0, 1, 0]


def test_only_train_sources_are_trained_on():
    assert weights(train_sources=["ours"], evidence_weight=1) == [1, 1, 1, 0, 0]
    assert weights(train_sources=["ours", "news"], evidence_weight=1) == weights(evidence_weight=1)


def test_the_evidence_of_a_source_has_a_factor_and_a_limit():
    rows = pd.DataFrame({"source": ["news"] * 5 + ["wiki"] * 3, "label": [0, *[None] * 7]})
    found = training_weights(rows, RowWeighting(evidence_weight=0.5, evidence_sources={"wiki": 0.5}), 0).tolist()
    assert found == [1, *[0.5] * 4, *[0.25] * 3]
    found = training_weights(rows, RowWeighting(evidence_weight=1, max_evidence=2), 0)
    assert (found[0], found[1:5].sum(), found[5:].sum()) == (1, 2, 2)


def test_max_labels_draws_among_labelled_rows_by_the_seed():
    draws = {tuple(weights(max_labels=2, evidence_weight=1, seed=seed)) for seed in range(20)}
    assert len(draws) > 1
    assert all(sum(draw[:4]) == 2 and draw[4] == 1 for draw in draws)
    assert weights(max_labels=2, seed=3) == weights(max_labels=2, seed=3)


def test_max_labels_draws_only_rows_that_are_trained_on():
    for seed in range(20):
        assert sum(weights(max_labels=2, train_sources=["ours"], seed=seed)[:3]) == 2


def test_a_smaller_draw_is_part_of_a_larger_one():
    small, large = (np.array(weights(max_labels=n)) for n in (1, 3))
    assert (small <= large).all()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"source_weights": {"new": 1}}, "source_weights names 'new', which has no training rows here; did you"),
        ({"evidence_sources": {"nws": 1}}, "evidence_sources names 'nws', which has no training rows here; did you"),
        ({"train_sources": ["our"]}, "train_sources names 'our', which has no training rows here; did you mean ours"),
        ({"source_weights": {"news": -1}}, "source_weights gives news a weight below 0"),
        ({"evidence_weight": -1.0}, r"evidence_weight=-1\.0 is below 0"),
        ({"max_labels": -1}, "max_labels=-1, expected 0 at least"),
        ({"max_evidence": -2}, "max_evidence=-2, expected 0 at least"),
        ({"max_labels": 0}, "every training row has the weight 0"),
        ({"train_sources": []}, "every training row has the weight 0"),
    ],
)
def test_wrong_settings_are_one_sentence(settings, sentence):
    with pytest.raises(ClaimkindError, match=sentence):
        weights(**settings)
