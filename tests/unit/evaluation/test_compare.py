"""Which runs are compared, how configurations are named, and which run becomes champion."""

import shutil
import threading
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from filelock import Timeout

from claimkind import tracking
from claimkind.config import CompareConfig, DatasetNameConfig
from claimkind.errors import ClaimkindError
from claimkind.evaluation import compare
from claimkind.labels import LABELS, PROBABILITY_COLUMNS

SIZE = 400
VALIDATION, EARLIER = "validation/macro_f1", "validation_macro_f1"


class Experiment:
    """Runs of one test, with made-up predictions."""

    def __init__(self, name: str) -> None:
        self.name = name

    def log(
        self,
        name,
        *,
        seed=0,
        accuracy=0.75,
        on_test=None,
        build="b1",
        dataset="bundled",
        draw=None,
        kind="training",
        **params,
    ) -> str:
        """Log a run of a model with an expected accuracy; `draw` seeds which sentences it gets right."""
        tags = {"dataset": dataset, "dataset_fingerprint": build, **({"kind": kind} if kind else {})}
        with tracking.start_run(self.name, name, tags) as tracked:
            tracked.log_config({}, {"seed": seed, "model.seed": seed, **params})
            for split, expected in (("validation", accuracy), ("test", accuracy if on_test is None else on_test)):
                rows = predictions(expected, seed if draw is None else draw)
                tracked.log_table(rows, f"predictions/{split}.parquet")
            if kind != "evaluation":
                tracked.log_metrics({VALIDATION if kind else EARLIER: accuracy})
        return tracked.run_id

    def run(self, **settings) -> compare.Comparison:
        return compare.run(CompareConfig(experiment_name=self.name, bootstrap_samples=200, **settings))

    def compare(self, **settings) -> pd.DataFrame:
        """The table."""
        return self.run(**settings).table.set_index("configuration")


@pytest.fixture
def experiment(new_store, request):
    return Experiment(request.node.name)


def predictions(accuracy: float, seed: int) -> pd.DataFrame:
    """Predictions of a model with an expected accuracy, on the same sentences for every seed."""
    truth = np.random.default_rng(0).integers(3, size=SIZE)
    random = np.random.default_rng(seed)
    predicted = np.where(random.random(SIZE) < accuracy, truth, (truth + random.integers(1, 3, size=SIZE)) % 3)
    rows = pd.DataFrame({"id": np.arange(SIZE).astype(str), "group": np.arange(SIZE).astype(str)})
    rows = rows.assign(source="a", text=[f"Sentence {index}." for index in range(SIZE)])
    rows["label"] = [LABELS[index] for index in truth]
    return rows.assign(**dict(zip(PROBABILITY_COLUMNS, np.eye(3)[predicted].T, strict=True)))


def test_configurations_of_one_name_are_distinguished_by_their_settings(experiment):
    experiment.log("tfidf-bundled-seed0", **{"model.C": 1})
    experiment.log("tfidf-bundled-seed0", **{"model.C": 9})
    assert set(experiment.compare().index) == {"tfidf-bundled (model.C=1)", "tfidf-bundled (model.C=9)"}


def test_the_text_is_the_conclusion_the_table_and_the_verdicts(experiment):
    experiment.log("good", accuracy=0.9, alpha=1)
    experiment.log("bad", accuracy=0.5, draw=3, alpha=2)
    conclusion, title, header, *rows, verdict = experiment.run().text().splitlines()[:6]
    assert conclusion == "good is best on validation; on test it is better than bad"
    assert title == "dataset bundled, fingerprint b1, test split"
    assert header.split()[:2] == ["configuration", "seeds"]
    assert [row.split()[:3] for row in rows] == [["good", "1", "0.900"], ["bad", "1", "0.500"]]
    assert verdict.startswith("good is better than bad by ")


def test_a_comparison_of_many_shows_the_verdicts_on_the_best_and_counts_the_others(experiment):
    for number in range(6):
        experiment.log(
            "best" if number == 0 else f"m{number}", accuracy=0.9 if number == 0 else 0.5, draw=number, alpha=number
        )
    text = experiment.run().text()
    assert text.startswith("best is best on validation; on test it is better than 5 others\n")
    assert text.count(" points of macro F1") == 5
    assert "and 10 further pairs, in comparison/differences.csv of the run" in text


def test_a_run_alone_is_the_only_configuration(experiment):
    experiment.log("mine")
    assert experiment.run().text().startswith("mine is the only configuration\n")


def test_runs_that_predict_the_same_count_as_one_seed(experiment, caplog):
    caplog.set_level("INFO")
    for seed in range(3):
        experiment.log("mine", seed=seed, draw=7)
    experiment.log("other", accuracy=0.6, alpha=2)
    table = experiment.compare()
    assert table["seeds"].to_dict() == {"mine": 1, "other": 1}
    assert table.loc["mine", "± seeds"] == ""
    assert "mine: 2 runs predict the same as another seed, not counted again" in caplog.text


def test_a_parameter_that_is_not_set_is_not_in_a_name(experiment):
    experiment.log("m", alpha=1, max_labels=None)
    experiment.log("m", alpha=2, accuracy=0.6)
    assert set(experiment.compare().index) == {"m (alpha=1)", "m (alpha=2)"}


def test_seeds_under_one_name_are_one_configuration(experiment):
    for seed in range(3):
        experiment.log("mine", seed=seed)
    assert (
        experiment.compare()["seeds"].to_dict() == experiment.compare(runs=["mine"])["seeds"].to_dict() == {"mine": 3}
    )


def test_a_number_that_is_no_seed_stays_in_the_name(experiment):
    experiment.log("svm-v2")
    assert list(experiment.compare().index) == ["svm-v2"]


def test_the_same_training_twice_counts_once(experiment, caplog):
    caplog.set_level("INFO")
    older, newer = experiment.log("twice"), experiment.log("twice")
    assert experiment.compare()["seeds"].tolist() == [1]
    assert experiment.compare(runs=[older, newer])["seeds"].tolist() == [1]
    assert f"run {older} has the settings and the seed of another run and is left out" in caplog.messages


def lose_artifacts(run_id: str) -> None:
    shutil.rmtree(Path(mlflow.get_run(run_id).info.artifact_uri))


def test_a_run_that_lost_its_files_is_left_out(experiment, caplog):
    caplog.set_level("INFO")
    kept, older, lost = experiment.log("a", alpha=1), experiment.log("b", alpha=2), experiment.log("b", alpha=2)
    lose_artifacts(lost)
    compared = [set(runs["run_id"]) for _, runs in experiment.run().configurations]
    assert sorted(map(sorted, compared)) == sorted([[kept], [older]])
    (logged,) = [message for message in caplog.messages if message.endswith("it is left out")]
    assert logged.startswith(f"run {lost} holds no predictions/test.parquet (")
    with pytest.raises(ClaimkindError, match=rf"run {lost} holds no predictions/test\.parquet .*train it again"):
        experiment.run(runs=[kept, lost])
    lose_artifacts(kept)
    (Path(mlflow.get_run(older).info.artifact_uri) / "predictions" / "test.parquet").write_bytes(b"PAR1 damaged")
    with pytest.raises(ClaimkindError, match="no run has predictions that can be read"):
        experiment.run()


def test_a_name_means_its_runs_on_the_newest_build(experiment):
    experiment.log("a", build="old")
    experiment.log("a", build="new", accuracy=0.9)
    experiment.log("b", build="new", alpha=2)
    table = experiment.compare(runs=["a", "b"])
    assert set(table.index) == {"a", "b"}
    assert float(table.loc["a", "validation macro F1"]) == 0.9


def test_runs_of_different_builds_are_refused(experiment):
    experiment.log("a", build="old")
    experiment.log("b", build="new")
    with pytest.raises(ClaimkindError, match="different builds of the dataset, expected one"):
        experiment.compare(runs=["a", "b"])


def test_the_error_for_a_run_of_another_dataset_names_the_dataset(experiment):
    experiment.log("a")
    elsewhere = experiment.log("b", dataset="public")
    with pytest.raises(ClaimkindError, match=r"no finished run on dataset 'bundled'.*: a; give dataset or"):
        experiment.compare(runs=[elsewhere])


def test_an_evaluation_takes_part_when_named_and_does_not_become_champion(experiment):
    experiment.log("trained", accuracy=0.7)
    evaluation = experiment.log("evaluation", kind="evaluation", accuracy=0.95, draw=7, trained_on="other")
    assert list(experiment.compare().index) == ["trained"]
    table = experiment.compare(runs=["trained", evaluation])
    assert list(table.index) == ["trained", "evaluation"]
    assert table.loc["evaluation", "validation macro F1"] == ""
    with pytest.raises(ClaimkindError, match="promote=true finds no training") as raised:
        experiment.compare(runs=[evaluation], promote=True)
    assert "evaluation" in raised.value.result.text(), "the finished comparison is not shown"


def test_a_training_is_compared_and_not_the_evaluation_of_its_own_model(experiment, monkeypatch):
    monkeypatch.setattr(tracking, "run_of_alias", lambda *_: None)
    moved = []
    monkeypatch.setattr(tracking, "register", lambda *arguments: moved.append(arguments[0]) or 1)
    trained = experiment.log("a", alpha=1)
    again = experiment.log("evaluation-a", kind="evaluation", alpha=1)
    other = experiment.log("evaluation-b", kind="evaluation", model="4f2a")
    table = experiment.compare(runs=[again, trained, other], promote=True)
    assert set(table.index) == {"a", "evaluation-b"}
    assert moved == [trained]


def test_names_show_the_settings_that_differ_from_the_most_common_ones(experiment):
    for number in range(3):
        experiment.log("x", **({"a": 1, "b": 1, "c": 1, "d": 1} | {"abcd"[number]: 2}))
    experiment.log("x", a=1, b=1, c=1, d=2)
    assert set(experiment.compare().index) == {"x (a=2)", "x (b=2)", "x (c=2)", "x (d=2)"}


@pytest.mark.parametrize("settings", [{"alias": "v1"}, {"alias": "a b"}, {"registered_name": "a/b"}])
def test_names_that_mlflow_does_not_take_are_refused_before_anything(experiment, settings):
    with pytest.raises(ClaimkindError, match="is no name that MLflow takes"):
        experiment.compare(promote=True, **settings)


def test_a_quotation_mark_in_a_name_is_a_sentence(experiment):
    experiment.log("a")
    with pytest.raises(ClaimkindError, match="MLflow finds no runs by"):
        experiment.compare(dataset=DatasetNameConfig("it's"))


def test_a_champion_that_was_deleted_is_no_traceback(experiment, monkeypatch):
    monkeypatch.setattr(tracking, "run_of_alias", lambda *_: "0" * 32)
    experiment.log("a")
    assert experiment.run(promote=True).promotion.endswith("or remove its alias in MLflow")


def test_the_best_of_many_needs_more_than_luck_to_become_champion(experiment, monkeypatch):
    champion = experiment.log("champion", draw=100)
    monkeypatch.setattr(tracking, "run_of_alias", lambda *_: champion)
    moved = []
    monkeypatch.setattr(tracking, "register", lambda *arguments: moved.append(arguments) or 2)
    better = experiment.log("better", accuracy=0.79, draw=104)
    shown = experiment.run(runs=["better"], promote=True).text()
    assert [arguments[0] for arguments in moved] == [better], shown
    for number in range(9):
        experiment.log("lucky", draw=number, alpha=number)
    result = experiment.run(promote=True)
    shown = result.text()
    assert len(moved) == 1, "the best of eleven moved the alias on a difference that one of them has by chance"
    assert result.promotion.endswith("the alias champion stays where it is")
    assert not [line for line in result.verdicts if line.count("lucky") > 1], "verdicts on pairs without the best"


def test_trainings_of_earlier_versions_are_compared(experiment):
    experiment.log("earlier", kind=None, accuracy=0.7, alpha=1)
    experiment.log("now", accuracy=0.9, draw=3, alpha=2)
    table = experiment.compare()
    assert table["validation macro F1"].to_dict() == {"now": "0.900", "earlier": "0.700"}


def test_a_run_is_found_by_the_beginning_of_its_id(experiment):
    run_id = experiment.log("a")
    experiment.log("b", alpha=2)
    assert list(experiment.compare(runs=[run_id[:8]]).index) == ["a"]


def test_a_comparison_is_named_and_described_by_its_verdict(experiment):
    good = experiment.log("good · bundled · seed 0", accuracy=0.9, alpha=1)
    experiment.log("bad · bundled · seed 0", accuracy=0.5, draw=3, alpha=2)
    experiment.run()
    [logged] = mlflow.search_runs(
        experiment_names=[experiment.name], filter_string="tags.kind = 'comparison'", output_format="list"
    )
    assert logged.info.run_name.startswith("compare: good better than bad by ")
    assert logged.data.tags["mlflow.note.content"].startswith("**good is better than bad by ")
    metrics = logged.data.metrics
    assert 0 < metrics["comparison/difference_low"] < metrics["comparison/difference"]
    assert metrics["comparison/p"] < 0.05 and metrics["comparison/gained"] > metrics["comparison/lost"]
    [entry] = logged.inputs.dataset_inputs
    assert (entry.dataset.name, entry.dataset.digest) == ("bundled-test", "b1")
    note = mlflow.get_run(good).data.tags["mlflow.note.content"]
    page = f"#/experiments/{logged.info.experiment_id}/runs/{logged.info.run_id}?workflowType=machine_learning"
    assert note == f"- Last comparison: [{logged.info.run_name}]({page})"
    experiment.run()
    assert mlflow.get_run(good).data.tags["mlflow.note.content"].count("Last comparison") == 1


def test_runs_that_were_measured_on_other_sentences_are_refused(experiment, monkeypatch):
    experiment.log("a", alpha=1)
    whole = predictions
    monkeypatch.setattr(f"{__name__}.predictions", lambda *settings: whole(*settings).iloc[:-1])
    experiment.log("b", alpha=2)
    with pytest.raises(ClaimkindError, match="was measured on other sentences than the others"):
        experiment.compare()


class Registry:
    """Stands for the registry of MLflow: which run has the alias."""

    def __init__(self, monkeypatch, champion=None) -> None:
        self.champion = champion
        monkeypatch.setattr(tracking, "run_of_alias", lambda *_: self.champion)
        monkeypatch.setattr(tracking, "register", self.register)

    def register(self, run_id, *_) -> int:
        self.champion = run_id
        return 1


def test_the_model_that_is_best_on_validation_is_promoted_not_the_one_that_is_best_on_test(experiment, monkeypatch):
    registry = Registry(monkeypatch)
    best = experiment.log("best on validation", accuracy=0.9, on_test=0.5, draw=1, alpha=1)
    experiment.log("best on test", accuracy=0.6, on_test=0.95, draw=2, alpha=2)
    experiment.run(promote=True)
    assert registry.champion == best


def test_a_champion_is_beaten_on_validation_not_on_test(experiment, monkeypatch):
    registry = Registry(monkeypatch, experiment.log("champion", accuracy=0.8, on_test=0.5, draw=1))
    champion = registry.champion
    experiment.log("better on test", accuracy=0.8, on_test=0.95, draw=1, alpha=1)
    assert experiment.run(runs=["better on test"], promote=True).promotion.endswith("stays where it is")
    assert registry.champion == champion
    better = experiment.log("better on validation", accuracy=0.95, on_test=0.4, draw=1, alpha=2)
    experiment.run(runs=["better on validation"], promote=True)
    assert registry.champion == better


def test_of_two_promotions_at_once_the_second_compares_with_the_result_of_the_first(experiment, monkeypatch):
    registry = Registry(monkeypatch)
    best = experiment.log("best", accuracy=0.95, draw=1, alpha=1)
    experiment.log("second", accuracy=0.6, draw=2, alpha=2)
    second: list[str] = []
    registered: list[str] = []

    def promote_second():
        second.append(experiment.run(runs=["second"], promote=True).promotion)

    def register(run_id, *further):
        registered.append(run_id)
        monkeypatch.setattr(tracking, "register", registry.register)
        with pytest.raises(Timeout):  # held, however slow the machine
            tracking.alias_lock(*further[:2]).acquire(timeout=0)
        thread = threading.Thread(target=promote_second)
        thread.start()
        thread.join(timeout=4)
        assert second == [], "the second promotion did not wait"
        threads.append(thread)
        return registry.register(run_id, *further)

    threads: list[threading.Thread] = []
    monkeypatch.setattr(tracking, "register", register)
    experiment.run(runs=["best"], promote=True)
    threads[0].join()
    assert registered == [best]
    assert second[0].endswith("the alias champion stays where it is")
