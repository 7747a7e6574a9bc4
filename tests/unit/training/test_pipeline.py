import mlflow
import numpy as np
import pytest

from claimkind import tracking
from claimkind.config import PathsConfig, TrainConfig
from claimkind.errors import ClaimkindError, TrainingPruned
from claimkind.labels import PROBABILITY_COLUMNS
from claimkind.models.calibration import apply_temperature, fit_temperature
from claimkind.training.pipeline import Parent, calibrate, run, validate
from claimkind.training.plan import plan
from tests.conftest import dataset_config

PROBABILITIES = np.tile([0.6, 0.3, 0.1], (30, 1))


def test_a_precision_that_is_not_reached_gives_a_model_that_never_abstains():
    calibrated = calibrate(None, np.tile([0, 1], 15), PROBABILITIES, 0.95)
    assert calibrated.classifier.abstain_below == 0
    assert calibrated.threshold == np.inf
    assert "target_precision=0.95 is not reached on validation" in calibrated.unmet


def test_a_precision_that_is_reached_gives_a_threshold_on_calibrated_probabilities():
    calibrated = calibrate(None, np.tile([0, 0, 1], 10), PROBABILITIES, 0.6)
    assert calibrated.classifier.abstain_below == calibrated.classifier.calibrate(PROBABILITIES).max()
    assert not calibrated.unmet


def test_without_a_target_precision_no_model_abstains():
    calibrated = calibrate(None, np.zeros(30, dtype=int), PROBABILITIES, None)
    assert calibrated.classifier.abstain_below == 0
    assert calibrated.threshold == calibrated.classifier.calibrate(PROBABILITIES).max()


def test_an_error_after_training_carries_the_finished_run(in_workspace, seeds):
    config = TrainConfig(
        dataset=dataset_config(seeds), model={"_target_": "claimkind.models.tfidf.TfidfClassifier", "min_df": 1},
        paths=PathsConfig(data_dir="data"), max_labels=3, target_precision=1.0, bootstrap_samples=20,
    )  # fmt: skip
    with pytest.raises(ClaimkindError, match="the model was saved, and gives every sentence a label") as raised:
        run(config)
    assert raised.value.result.text().startswith(
        "run tfidf · tiny · min_df=1 · max_labels=3 · target_precision=1 · seed 0 ("
    )


def test_a_pruned_trial_ends_its_run_as_killed(in_workspace, seeds, tiny_encoder):
    def prune(step, metrics):
        raise TrainingPruned

    config = TrainConfig(
        dataset=dataset_config(seeds), paths=PathsConfig(data_dir="data"), experiment_name="pruned",
        model={"_target_": "claimkind.models.transformer.TransformerClassifier", "encoder": str(tiny_encoder)},
    )  # fmt: skip
    with pytest.raises(TrainingPruned):
        validate(plan(config), "pruned", Parent("0", "study"), on_metrics=prune)
    [entry] = mlflow.search_runs(experiment_names=["pruned"], output_format="list")
    assert entry.info.status == "KILLED"


def test_the_temperature_is_fitted_on_validation_and_applied_to_what_is_saved_and_evaluated(in_workspace, seeds):
    config = TrainConfig(
        dataset=dataset_config(seeds), model={"_target_": "claimkind.models.tfidf.TfidfClassifier", "min_df": 1},
        paths=PathsConfig(data_dir="data"), max_labels=20, bootstrap_samples=20, experiment_name="temperature",
    )  # fmt: skip
    trained, splits = run(config), plan(config).dataset.splits
    saved = tracking.fetch_model(trained.model_uri)
    raw = {split: saved.classifier.predict_proba(splits[split]["text"][:]) for split in ("validation", "test")}
    fitted = {split: fit_temperature(np.asarray(splits[split]["label"]), raw[split]) for split in raw}
    assert saved.temperature == pytest.approx(fitted["validation"])
    assert saved.temperature != pytest.approx(fitted["test"])
    for split in raw:
        logged = tracking.fetch_table(trained.run_id, f"predictions/{split}.parquet")[list(PROBABILITY_COLUMNS)]
        np.testing.assert_allclose(logged, apply_temperature(raw[split], fitted["validation"]), rtol=1e-6)
        assert not np.allclose(logged, raw[split], atol=1e-3)
