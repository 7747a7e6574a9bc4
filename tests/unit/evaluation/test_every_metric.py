"""Every metric of the table appears wherever results are logged or shown, with its interval."""

from pathlib import Path

import mlflow
import pandas as pd
import pytest

from claimkind.config import CompareConfig, DatasetConfig, DatasetNameConfig, EvaluateConfig, PathsConfig, TrainConfig
from claimkind.errors import ClaimkindError
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
def results(workspace, seeds, new_store):
    """A training, its evaluation by `scripts/evaluate.py`, and the comparison of the two."""
    paths = PathsConfig(data_dir=str(workspace / "data"), seeds_dir=str(seeds))
    model = {"_target_": "claimkind.models.tfidf.TfidfClassifier", "min_df": 1}
    trained = pipeline.run(TrainConfig(dataset=dataset_config(seeds), model=model, paths=paths))
    report = saved_model.run(
        EvaluateConfig(model_uri=trained.model_uri, dataset=DatasetConfig(name="tiny"), paths=paths)
    )
    comparison = compare.run(CompareConfig(dataset=DatasetNameConfig("tiny")))
    return trained.run_id, report, comparison


def table(run_id, split="test"):
    path = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=f"metrics/{split}.csv")
    rows = pd.read_csv(path)
    return rows[rows["part"] == "all"].set_index("metric")


def estimates(results):
    rows = table(results[0])
    return {name: Estimate(*rows.loc[name, ["value", "low", "high"]]) for name in NAMES}


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize("name", NAMES)
def test_training_logs_it(results, name, split):
    row = table(results[0], split).loc[name]
    assert row["low"] <= row["value"] <= row["high"]


@pytest.mark.parametrize("name", [name for metric in METRICS if metric.headline for name in names_of(metric)])
def test_the_headlines_are_metrics_of_the_run(results, name):
    logged = mlflow.get_run(results[0]).data.metrics[f"test/{name}"]
    assert logged == pytest.approx(estimates(results)[name].value, abs=1e-4)


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
    expected = {name: value for name, value in training.items() if name.startswith("test/")}
    assert evaluation.data.metrics == pytest.approx({**expected, "behaviour/pass_rate": 1.0}, abs=1e-4)


def test_a_run_has_few_metrics(results):
    assert len(mlflow.get_run(results[0]).data.metrics) <= 20


def test_a_labelled_file_is_evaluated_without_a_dataset(results, tmp_path):
    (tmp_path / "mine.csv").write_text(
        "sentence,kind\nThe mill in Arden closed.,fact\nIt may reopen.,guess\nA sad ruin.,view\n"
    )
    labels = {"fact": "factual", "guess": "speculative", "view": "opinion"}
    given = {"input": str(tmp_path / "mine.csv"), "text_column": "sentence", "label_column": "kind", "labels": labels}
    model_uri = mlflow.get_run(results[0]).data.tags["model_uri"]
    found = saved_model.run(EvaluateConfig(model_uri=model_uri, bootstrap_samples=20, **given))
    assert found.title.startswith(f"{model_uri} on mine test, fingerprint ")
    assert found.title.endswith("n = 3")
    assert "behaviour" not in found.tables and "test/macro_f1" in found.metrics
    assert found.tags["dataset"] == "mine"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"input": "x.csv", "split": "validation"}, "split=validation, but a file is evaluated as a whole"),
        ({"input": "x.csv", "probe": {"_target_": "x"}}, "input and probe are two test sets, expected one"),
        ({"split": "train"}, "split=train holds no evaluated sentences"),
    ],
)
def test_test_sets_that_cannot_be_are_refused_before_the_model_is_fetched(settings, sentence):
    with pytest.raises(ClaimkindError, match=sentence):
        saved_model.run(EvaluateConfig(model_uri="models:/nowhere@x", **settings))
