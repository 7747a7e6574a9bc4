import importlib.util

import mlflow
import pytest

from claimkind import models, tracking
from claimkind.config import DatasetConfig, PathsConfig, QuantizeConfig, TrainConfig
from claimkind.errors import ClaimkindError
from claimkind.labels import one_hot
from claimkind.models.calibration import CalibratedClassifier
from claimkind.models.hashing import HashingClassifier, HashingSettings
from claimkind.models.inference import Inference
from claimkind.training import pipeline, quantization
from tests.conftest import dataset_config

TEXTS = ["Rain fell.", "Rain might reach Corm soon.", "Rain is sadly dull.", "The mill closed."]
NAMES = ["factual", "speculative", "opinion", "factual"]


def config_for(folder, workspace, **changes):
    settings = {"sentences": 20, "bootstrap_samples": 20, "experiment_name": "int8", **changes}
    return QuantizeConfig(
        str(folder), DatasetConfig("tiny"), paths=PathsConfig(data_dir=str(workspace / "data")), **settings
    )


def test_a_quantised_model_is_logged_with_its_differences(tiny_encoder, in_workspace, tmp_path):
    from claimkind.models.transformer import TransformerClassifier, TransformerSettings

    _skip_without_int8()
    settings = TransformerSettings(str(tiny_encoder), epochs=2, rdrop_alpha=0, precision="fp32")
    fitted = TransformerClassifier(settings).fit(TEXTS, one_hot(NAMES))
    models.save(CalibratedClassifier(fitted, 1.3, 0.4), tmp_path / "model")
    result = quantization.run(config_for(tmp_path / "model", in_workspace))
    validation, test = result.differences
    assert (validation.split, test.split) == ("validation", "test")
    assert 0.9 < test.agreement <= 1
    assert 0 < test.largest < 1
    assert f"{test.agreement:.2%}" in result.text()
    loaded = tracking.fetch_model(result.model_uri, inference=Inference("openvino"))
    assert loaded.compute_dtype == "int8, CPU, OpenVINO"
    assert loaded.abstain_below == 0.4
    assert loaded.temperature != 1.3
    run = mlflow.get_run(mlflow.search_runs(experiment_names=["int8"])["run_id"][0])
    assert run.data.tags["kind"] == "quantization"
    assert run.data.metrics["test/labels_as_in_fp32"] == pytest.approx(test.agreement, rel=1e-3)
    card = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/model_card.md")
    assert f"| test | {test.sentences} | {test.agreement:.2%} | {test.original} | {test.int8} |" in card
    assert f"temperature {loaded.temperature:.3f} was fitted again" in card


def _skip_without_int8():
    from claimkind.models.transformer.layers import computes_int8

    if not (importlib.util.find_spec("nncf") and computes_int8()):
        pytest.skip("NNCF is not installed, or the processor has no instructions for int8")


def training(seeds, experiment, model, **changes):
    settings = {"paths": PathsConfig(data_dir="data"), "bootstrap_samples": 20, "experiment_name": experiment}
    return TrainConfig(dataset=dataset_config(seeds), model=model, quantize=True, **settings, **changes)


def transformer(encoder):
    target = "claimkind.models.transformer.TransformerClassifier"
    return {"_target_": target, "encoder": str(encoder), "epochs": 1, "rdrop_alpha": 0}


def test_a_training_that_misses_its_precision_has_a_version_in_int8_too(tiny_encoder, in_workspace, seeds):
    _skip_without_int8()
    with pytest.raises(ClaimkindError, match="the model was saved, and gives every sentence a label") as raised:
        pipeline.run(training(seeds, "unmet", transformer(tiny_encoder), max_labels=3, target_precision=1.0))
    assert raised.value.result.int8.model_uri


def test_a_training_logs_its_version_in_int8_when_asked(tiny_encoder, in_workspace, seeds):
    _skip_without_int8()
    trained = pipeline.run(training(seeds, "both", transformer(tiny_encoder)))
    assert f"model {trained.model_uri}: test" in trained.text()
    assert f"model {trained.int8.model_uri} in int8" in trained.text()
    [original] = mlflow.search_runs(filter_string="tags.kind = 'quantization'", experiment_names=["both"])[
        "tags.original_model"
    ]
    assert original == trained.model_uri


def test_a_linear_model_is_not_trained_when_it_is_to_be_quantised(in_workspace, seeds):
    with pytest.raises(ClaimkindError, match="of the family hashing, expected a transformer"):
        pipeline.run(training(seeds, "linear", {"_target_": "claimkind.models.hashing.HashingClassifier"}))
    assert mlflow.get_experiment_by_name("linear") is None


def test_a_linear_model_is_refused(in_workspace, tmp_path):
    models.save(HashingClassifier(HashingSettings(bits=10)).fit(TEXTS, one_hot(NAMES)), tmp_path / "model")
    with pytest.raises(ClaimkindError, match="of the family hashing, expected a transformer"):
        quantization.run(config_for(tmp_path / "model", in_workspace))
    with pytest.raises(ClaimkindError, match="sentences=0, expected 1 at least"):
        quantization.run(config_for(tmp_path / "model", in_workspace, sentences=0))
