import json

import numpy as np
import pytest

from claimkind import models
from claimkind.errors import ClaimkindError
from claimkind.labels import one_hot
from claimkind.manifest import MANIFEST, write_manifest
from claimkind.metrics.calibration import expected_calibration_error
from claimkind.models.calibration import (
    CalibratedClassifier,
    apply_temperature,
    fit_temperature,
    threshold_at_precision,
)
from claimkind.models.prediction import label_texts
from claimkind.models.tfidf import TfidfClassifier, TfidfSettings

TEXTS = ["Rain fell.", "Rain may fall.", "Rain is sadly dull."] * 4
LABELLED = one_hot(["factual", "speculative", "opinion"] * 4)


def drawn(size=4000, temperature=1.0, seed=0):
    """True classes drawn from probabilities, and the same probabilities sharpened by a temperature below 1."""
    random = np.random.default_rng(seed)
    honest = random.dirichlet([0.6] * 3, size=size)
    truth = (random.random(size)[:, None] > honest.cumsum(axis=1)).sum(axis=1).clip(max=2)
    return truth, apply_temperature(honest, temperature)


def test_the_fitted_temperature_undoes_sharpening():
    truth, sharpened = drawn(temperature=0.5)
    temperature = fit_temperature(truth, sharpened)
    assert temperature == pytest.approx(2, rel=0.1)
    before, after = (
        expected_calibration_error(truth, p) for p in (sharpened, apply_temperature(sharpened, temperature))
    )
    assert after < 0.03 < before


def test_a_temperature_changes_no_prediction():
    _, probabilities = drawn(size=200)
    for temperature in (0.3, 1, 4):
        scaled = apply_temperature(probabilities, temperature)
        assert np.allclose(scaled.sum(axis=1), 1)
        assert (scaled.argmax(axis=1) == probabilities.argmax(axis=1)).all()


def test_the_threshold_is_the_lowest_that_reaches_the_precision():
    confidence = np.array([0.9, 0.8, 0.8, 0.7, 0.6])
    probabilities = np.column_stack([confidence, (1 - confidence) * 0.6, (1 - confidence) * 0.4])
    truth = np.array([0, 0, 1, 0, 0])
    assert threshold_at_precision(truth, probabilities, 0.8, fewest=1) == 0.6
    assert threshold_at_precision(truth, probabilities, 0.9, fewest=1) == 0.9
    with pytest.raises(ClaimkindError, match=r"not reached on validation at any confidence; .* right in 0% of cases"):
        threshold_at_precision(np.full(5, 2), probabilities, 0.9)
    with pytest.raises(ClaimkindError, match=r"target_precision is 95, expected a share above 0 and at most 1"):
        threshold_at_precision(truth, probabilities, 95)


def test_a_few_lucky_predictions_make_no_threshold():
    confidence = np.linspace(0.99, 0.5, 100)
    probabilities = np.column_stack([confidence, 1 - confidence, np.zeros(100)])
    truth = np.where(
        np.arange(100) < 5, 0, np.arange(100) % 2
    )  # the five of highest confidence are right, then every other one
    with pytest.raises(ClaimkindError, match=r"not reached on validation at any confidence; .* right in 62% of cases"):
        threshold_at_precision(truth, probabilities, 0.95)


@pytest.fixture
def calibrated():
    return CalibratedClassifier(TfidfClassifier(TfidfSettings(min_df=1)).fit(TEXTS, LABELLED), 2.0, 0.6)


def test_a_calibrated_model_survives_saving(calibrated, tmp_path):
    models.save(calibrated, tmp_path / "model")
    loaded = models.load(tmp_path / "model")
    assert (loaded.temperature, loaded.abstain_below) == (2.0, 0.6)
    assert np.array_equal(loaded.predict_proba(TEXTS), calibrated.predict_proba(TEXTS))
    assert models.family_of(loaded) == "tfidf"


@pytest.mark.parametrize(
    "changed",
    [
        {"temperature": -1}, {"temperature": 1e-300}, {"temperature": float("inf")}, {"temperature": float("nan")},
        {"temperature": True}, {"temperature": "2"}, {"temperature": None}, {"abstain_below": 1.5},
        {"abstain_below": True}, {"abstain_below": None},
    ],
)  # fmt: skip
def test_a_calibration_in_the_manifest_that_cannot_be_is_refused(changed, calibrated, tmp_path):
    models.save(calibrated, tmp_path / "model")
    content = json.loads((tmp_path / "model" / MANIFEST).read_text())
    write_manifest(tmp_path / "model", {**content, **changed})
    with pytest.raises(ClaimkindError, match=rf"manifest\.json: {next(iter(changed))} is .*, expected a number from"):
        models.load(tmp_path / "model")


def test_below_the_threshold_a_sentence_stays_undecided_and_keeps_its_probabilities(calibrated):
    scored = label_texts(calibrated, ["Rain fell.", "Entirely other words"])
    sure = scored["confidence"] >= 0.6
    assert (scored["label"] == "undecided").tolist() == (~sure).tolist()
    assert not sure.all()
    assert np.allclose(scored[["p_factual", "p_speculative", "p_opinion"]].sum(axis=1), 1)
