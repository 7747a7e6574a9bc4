"""The one evaluation that training, evaluate, compare and the model card render."""

import numpy as np
import pytest
from datasets import Dataset

from claimkind.evaluation.evaluation import Predictions, evaluate, evaluate_parts, predictions_for
from claimkind.labels import LABELS
from claimkind.metrics.bootstrap import estimate
from claimkind.metrics.scores import METRICS, names_of


def random_predictions(n=120, sources=("a", "b")):
    random = np.random.default_rng(0)
    truth = random.integers(3, size=n)
    return Predictions(
        truth=truth,
        probabilities=random.dirichlet([1, 1, 1], n) * 0.5 + np.eye(3)[truth] * 0.5 * random.random((n, 1)),
        groups=(np.arange(n) // 2).astype(str).astype(object),
        sources=np.resize(np.array(sources, dtype=object), n),
        genres=np.resize(np.array(["news", "none", "none"], dtype=object), n),
        texts=["Is it 3 o'clock?" if index % 4 == 0 else "It rained." for index in range(n)],
    )


def perfect(truth, groups=None):
    truth = np.asarray(truth)
    names = np.array(["x"] * len(truth), dtype=object)
    groups = np.arange(len(truth)).astype(str) if groups is None else np.asarray(groups)
    return Predictions(truth, np.eye(3)[truth], groups.astype(object), names, names, ["text"] * len(truth))


def everything(predictions):
    return {"all": np.ones(len(predictions.truth), dtype=bool)}


def test_the_headlines_are_few_and_named_by_their_split():
    found = evaluate(random_predictions(), samples=50, threshold=0.6)
    scores = ("accuracy", "mcc", "ece", *(f"f1_{label}" for label in LABELS))
    expected = {f"test/macro_f1{bound}" for bound in ("", "_low", "_high")} | {f"test/{name}" for name in scores}
    assert set(found.headlines("test")) == expected
    assert set(found.main_metric("validation")) == {f"validation/macro_f1{bound}" for bound in ("", "_low", "_high")}


def test_the_headlines_of_a_model_that_abstains_tell_how_often():
    found = evaluate(random_predictions(), samples=50, abstain_below=0.5).headlines("test")
    assert {"test/coverage_decided", "test/precision_decided"} <= set(found)


def test_the_table_holds_every_figure():
    predictions = random_predictions()
    found = evaluate(
        predictions, samples=50, abstain_below=0.5, threshold=0.6, uncalibrated=predictions.probabilities**2
    ).table()
    expected = {name for metric in METRICS for name in names_of(metric)}
    expected |= {"log_loss", "brier_score", "ece", "uncalibrated_ece", *(f"ece_{label}" for label in LABELS)}
    expected |= {f"{kind}_{name}" for kind in ("coverage", "precision") for name in ("at_95", "decided")}
    assert set(found.loc[found["part"] == "all", "metric"]) == expected
    assert set(found.loc[found["part"] == "sources", "name"]) == {"a", "b"}


def test_the_figures_of_a_source_are_those_of_its_sentences_alone():
    predictions = random_predictions()
    own = predictions.select(predictions.sources == "a")
    table = evaluate(predictions, samples=50).table()
    [row] = table[(table["name"] == "a") & (table["metric"] == "macro_f1")].to_dict("records")
    assert row["low"] == evaluate(own, samples=50).scores["macro_f1"].low
    assert row["sentences"] == len(own.truth)


def test_coverage_is_left_out_where_it_was_not_wanted_and_precision_where_nothing_is_covered():
    predictions = random_predictions()
    assert evaluate(predictions, samples=50).coverage == {}
    assert evaluate(predictions, samples=50, threshold=np.inf).coverage == {"coverage_at_95": 0.0}
    found = evaluate(predictions, samples=50, abstain_below=0.5).coverage
    confident = predictions.probabilities.max(axis=1) >= 0.5
    right = predictions.probabilities.argmax(axis=1) == predictions.truth
    assert found == {"coverage_decided": confident.mean(), "precision_decided": right[confident].mean()}


def test_scores_are_those_of_the_cluster_bootstrap():
    predictions = random_predictions()
    expected = estimate(predictions.truth, predictions.probabilities, predictions.groups, samples=50, seed=0)
    assert evaluate(predictions, samples=50).scores == expected


def test_each_part_is_a_row_of_its_table():
    tables = evaluate(random_predictions(), samples=50).tables
    assert tables["sources"]["slice"].tolist() == ["a", "b"]
    assert tables["genres"]["sentences"].tolist() == [40, 80]
    assert tables["slices"].set_index("slice").loc["question", "sentences"] == 30
    assert list(tables["slices"]) == ["slice", "sentences", "macro F1", "accuracy"]


def test_empty_parts_are_left_out():
    predictions = perfect([0, 0, 1, 1])
    masks = {"first": np.array([True, True, False, False]), "none": np.zeros(4, dtype=bool)}
    assert {name: part.n for name, part in evaluate_parts(predictions, masks, samples=50).items()} == {"first": 2}


def test_a_perfect_model_is_perfect_in_a_part_without_one_of_the_classes():
    predictions = perfect([0, 0, 0, 1])
    assert evaluate_parts(predictions, everything(predictions), samples=200)["all"].macro_f1 == (1, 1, 1)


def test_a_class_that_a_bootstrap_sample_leaves_out_counts_in_its_macro_f1():
    """Otherwise samples without the one opinion, which the model gets wrong, would be perfect."""
    predictions = perfect([0] * 10 + [1] * 10 + [2])
    wrong = np.eye(3)[np.where(predictions.truth == 2, 0, predictions.truth)]
    predictions = predictions._replace(probabilities=wrong)
    assert evaluate_parts(predictions, everything(predictions), samples=400)["all"].macro_f1.high < 0.7


def test_a_part_of_one_document_has_no_interval():
    predictions = perfect([0, 1, 2, 0], groups=["a"] * 4)
    part = evaluate_parts(predictions, everything(predictions), samples=20)["all"]
    assert str(part.macro_f1) == "1.000 [of one group]", "an interval of width 0 passes for certainty"


def test_rows_of_a_dataset_become_predictions():
    rows = Dataset.from_dict(
        {"label": [2, 0], "group": ["g", "h"], "source": ["s", "s"], "genre": [None, "news"], "text": ["A.", "B."]}
    )
    found = predictions_for(rows, np.eye(3)[[2, 1]])
    assert (found.truth.tolist(), found.genres.tolist(), list(found.texts)) == ([2, 0], ["none", "news"], ["A.", "B."])
    assert found.select(np.array([False, True])).texts == ["B."]


@pytest.mark.parametrize("column", ["truth", "groups", "sources", "genres"])
def test_selected_sentences_keep_their_columns_together(column):
    predictions = random_predictions()
    mask = predictions.genres == "news"
    selected = predictions.select(mask)
    assert getattr(selected, column).tolist() == getattr(predictions, column)[mask].tolist()
    assert len(selected.texts) == mask.sum()
