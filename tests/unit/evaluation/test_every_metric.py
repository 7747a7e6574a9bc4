"""Every metric of the table appears wherever results are logged or shown, with its interval."""

from pathlib import Path

import mlflow
import pandas as pd
import pytest

from claimkind.config import CompareConfig, DatasetConfig, DatasetNameConfig, EvaluateConfig, PathsConfig, TrainConfig
from claimkind.evaluation import compare, saved_model
from claimkind.labels import LABELS
from claimkind.metrics.bootstrap import Estimate
from claimkind.metrics.scores import METRICS, names_of
from claimkind.training import pipeline
from tests.conftest import dataset_config

OVERALL = [metric for metric in METRICS if not metric.per_class]
PER_CLASS = [metric for metric in METRICS if metric.per_class]
NAMES = [name for metric in METRICS for name in names_of(metric)]


@pytest.fixture(scope="module")
def results(workspace, seeds, tmp_path_factory):
    """A training, its evaluation by `scripts/evaluate.py`, and the comparison of the two."""
    folder = tmp_path_factory.mktemp("store")
    paths = PathsConfig(data_dir=str(workspace / "data"), seeds_dir=str(seeds))
    model = {"_target_": "claimkind.models.tfidf.TfidfClassifier", "min_df": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        trained = pipeline.run(TrainConfig(dataset=dataset_config(seeds), model=model, paths=paths))
        report = saved_model.run(
            EvaluateConfig(model_uri=trained.model_uri, dataset=DatasetConfig(name="tiny"), paths=paths)
        )
        comparison = compare.run(CompareConfig(dataset=DatasetNameConfig("tiny")))
        yield trained.run_id, report, comparison


def estimates(results):
    metrics = mlflow.get_run(results[0]).data.metrics
    return {name: Estimate(*(metrics[f"test_{name}{bound}"] for bound in ("", "_low", "_high"))) for name in NAMES}


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize("name", NAMES)
def test_training_logs_it(results, name, split):
    logged = mlflow.get_run(results[0]).data.metrics
    assert logged[f"{split}_{name}_low"] <= logged[f"{split}_{name}"] <= logged[f"{split}_{name}_high"]


@pytest.mark.parametrize("metric", OVERALL, ids=lambda metric: metric.name)
def test_evaluate_shows_what_training_logged(results, metric):
    table = results[1].tables["whole"].set_index("figure")["value"]
    assert table[metric.display_name] == str(estimates(results)[metric.name])


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("metric", PER_CLASS, ids=lambda metric: metric.name)
def test_evaluate_shows_what_training_logged_of_each_class(results, metric, label):
    table = results[1].tables["classes"].set_index("class")[metric.display_name]
    assert table[label] == str(estimates(results)[f"{metric.name}_{label}"])


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_the_card_shows_it(results, metric):
    path = mlflow.artifacts.download_artifacts(run_id=results[0], artifact_path="model_card.md")
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    labels = [f" {label}" for label in LABELS] if metric.per_class else [""]
    for name, label in zip(names_of(metric), labels, strict=True):
        assert f"| {metric.display_name}{label} | {estimates(results)[name]} |" in lines


@pytest.mark.parametrize("metric", OVERALL, ids=lambda metric: metric.name)
def test_compare_shows_it(results, metric):
    [shown] = results[2].table[metric.display_name]
    value = estimates(results)[metric.name].value
    assert shown.startswith(f"{value:.3f} [") and shown.endswith("]")
    assert metric.display_name in results[2].text()


def test_evaluate_logs_the_metrics_that_training_logs(results):
    training = mlflow.get_run(results[0]).data.metrics
    [evaluation] = mlflow.search_runs(
        experiment_names=["claimkind"], filter_string="tags.kind = 'evaluation'", output_format="list"
    )
    logged = pd.Series(evaluation.data.metrics)
    of_both = logged.index.intersection(pd.Index(training))
    assert {name for name in training if name.startswith("test_")} - set(of_both) <= {
        "test_coverage_at_95", "test_precision_at_95", "test_uncalibrated_ece",
    }  # fmt: skip
    assert logged[of_both].to_dict() == pytest.approx({name: training[name] for name in of_both}, abs=1e-6)
