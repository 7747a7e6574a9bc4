import numpy as np
import pandas as pd
import pytest

from claimkind.config import TrainConfig
from claimkind.errors import ClaimkindError
from claimkind.training import training_weights

ROWS = pd.DataFrame({"source": ["ours", "ours", "ours", "news", "news"], "label": [0, 1, 2, 0, None]})


def weights(**settings):
    return training_weights(ROWS, TrainConfig(**settings)).tolist()


def test_rows_without_a_label_weigh_what_evidence_weighs():
    assert weights() == [1, 1, 1, 1, 0]
    assert weights(evidence_weight=0.25) == [1, 1, 1, 1, 0.25]


def test_a_source_has_a_weight_of_its_own():
    assert weights(source_weights={"news": 0.5}, evidence_weight=0.5) == [1, 1, 1, 0.5, 0.25]
    assert weights(source_weights={"ours": 0}) == [0, 0, 0, 1, 0]


def test_the_evidence_of_a_source_has_a_factor_and_a_limit_of_its_own():
    rows = pd.DataFrame({"source": ["news"] * 5 + ["wiki"] * 3, "label": [0, *[None] * 7]})
    found = training_weights(rows, TrainConfig(evidence_weight=0.5, evidence_sources={"wiki": 0.5})).tolist()
    assert found == [1, *[0.5] * 4, *[0.25] * 3]
    found = training_weights(rows, TrainConfig(evidence_weight=1, max_evidence=2))
    assert (found[0], found[1:5].sum(), found[5:].sum()) == (1, 2, 2)


def test_max_labels_draws_among_labelled_rows_by_the_seed():
    draws = {tuple(weights(max_labels=2, evidence_weight=1, seed=seed)) for seed in range(20)}
    assert len(draws) > 1
    assert all(sum(draw[:4]) == 2 and draw[4] == 1 for draw in draws)
    assert weights(max_labels=2, seed=3) == weights(max_labels=2, seed=3)


def test_a_smaller_draw_is_part_of_a_larger_one():
    small, large = (np.array(weights(max_labels=n)) for n in (1, 3))
    assert (small <= large).all()


def test_wrong_settings_are_one_sentence():
    with pytest.raises(ClaimkindError, match=r"source_weights names 'new', which has no training rows here; did you"):
        weights(source_weights={"new": 1})
    with pytest.raises(ClaimkindError, match=r"evidence_sources names 'nws', which has no training rows here; did you"):
        weights(evidence_sources={"nws": 1})
    with pytest.raises(ClaimkindError, match="source_weights gives news a weight below 0"):
        weights(source_weights={"news": -1})
    with pytest.raises(ClaimkindError, match=r"evidence_weight=-1\.0 is below 0"):
        weights(evidence_weight=-1.0)
    with pytest.raises(ClaimkindError, match="every training row has the weight 0"):
        weights(max_labels=0)
