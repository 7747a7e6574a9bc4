import numpy as np
import pandas as pd
import pytest

from claimkind.config import PathsConfig, TrainConfig
from claimkind.dataset.load import BuiltDataset
from claimkind.errors import ClaimkindError
from claimkind.training.checkpoints import _work_dir
from claimkind.training.pipeline import _calibrated, resolved, run
from claimkind.training.weights import training_weights

ROWS = pd.DataFrame({"source": ["ours", "ours", "ours", "news", "news"], "label": [0, 1, 2, 0, None]})


def weights(**settings):
    return training_weights(ROWS, TrainConfig(**settings)).tolist()


def test_rows_without_a_label_weigh_what_evidence_weighs():
    assert weights() == [1, 1, 1, 1, 0]
    assert weights(evidence_weight=0.25) == [1, 1, 1, 1, 0.25]


@pytest.mark.parametrize(("family", "weight"), [("tfidf", 1), ("hashing", 1), ("transformer", 0)])
def test_evidence_weighs_what_helps_the_family_unless_it_is_said(family, weight):
    model = {"_target_": f"claimkind.models.{family}.{family.capitalize()}Classifier"}
    model |= {"encoder": "any"} if family == "transformer" else {}
    assert resolved(TrainConfig(model=model)).evidence_weight == weight
    assert resolved(TrainConfig(model=model, evidence_weight=0.5)).evidence_weight == 0.5


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
    with pytest.raises(ClaimkindError, match="max_labels=-1, expected 0 at least"):
        weights(max_labels=-1)
    with pytest.raises(ClaimkindError, match="max_evidence=-2, expected 0 at least"):
        weights(max_evidence=-2)
    with pytest.raises(ClaimkindError, match="every training row has the weight 0"):
        weights(max_labels=0)


def test_a_seed_that_no_generator_takes_is_refused():
    for seed in (-1, 1 << 32):
        with pytest.raises(ClaimkindError, match=rf"seed={seed}, expected 0 to 4294967295"):
            run(TrainConfig(seed=seed, model={"_target_": "claimkind.models.tfidf.TfidfClassifier"}))


def test_a_precision_out_of_reach_does_not_throw_the_model_away():
    probabilities = np.tile([0.6, 0.3, 0.1], (30, 1))
    calibrated, unmet = _calibrated(None, np.tile([0, 1], 15), probabilities, 0.95)
    assert calibrated.abstain_below == 0
    assert "target_precision=0.95 is not reached on validation" in unmet


def test_a_precision_that_is_none_is_refused_before_anything_starts(in_workspace):
    with pytest.raises(ClaimkindError, match=r"target_precision is 95\.0, expected a share"):
        run(TrainConfig(model={"_target_": "claimkind.models.tfidf.TfidfClassifier"}, target_precision=95.0))


def test_two_trainings_with_the_same_settings_keep_out_of_each_others_way(tmp_path):
    dataset = BuiltDataset("tiny", "f00", tmp_path, {})
    config = TrainConfig(paths=PathsConfig(data_dir=str(tmp_path)))
    with (
        _work_dir(config, {}, dataset) as first,
        _work_dir(TrainConfig(paths=PathsConfig(data_dir=str(tmp_path)), seed=1), {}, dataset) as second,
        pytest.raises(ClaimkindError, match="another process trains with these very settings"),
        _work_dir(config, {}, dataset),
    ):
        pass
    assert first != second
