import re
import shlex

import mlflow
import optuna
import pytest
import torch

from claimkind.config import PathsConfig, TuneConfig
from claimkind.errors import ClaimkindError
from claimkind.training.search_space import with_values
from claimkind.training.trials import share_threads
from claimkind.training.tuning import run
from tests.conftest import dataset_config, run_script

SPACE = {"model.C": {"low": 1e-6, "high": 100.0, "log": True}, "model.word_ngrams": {"low": 1, "high": 2}}
MODEL = {"_target_": "claimkind.models.tfidf.TfidfClassifier", "min_df": 1, "char_ngrams": 0}


@pytest.fixture
def config(in_workspace, seeds, tmp_path):
    def make(**changes):
        settings = {
            "dataset": dataset_config(seeds), "model": dict(MODEL), "search": SPACE, "trials": 3,
            "paths": PathsConfig(data_dir=str(in_workspace / "data")), "storage": f"sqlite:///{tmp_path}/studies.db",
            "experiment_name": "search",
        }  # fmt: skip
        return TuneConfig(**{**settings, **changes})

    return make


def children(parent):
    runs = mlflow.search_runs(experiment_names=["search"], output_format="list")
    return [entry for entry in runs if entry.data.tags.get("mlflow.parentRunId") == parent]


def parent_of(config):
    study = optuna.load_study(study_name=None, storage=config.storage)
    return study.user_attrs["mlflow_run_id"]


@pytest.mark.parametrize(("workers", "threads"), [(1, 3), (2, 1), (8, 1)])
def test_workers_share_the_threads_that_pytorch_may_use(workers, threads):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        share_threads(workers)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
def test_a_search_finds_the_better_settings_and_goes_on_when_called_again(config):
    first = run(config())
    parent = parent_of(config())
    assert len(first.trials) == 3
    assert len(children(parent)) == 3
    again = run(config(trials=5))
    assert parent_of(config()) == parent
    assert sorted(again.trials["trial"]) == [0, 1, 2, 3, 4]
    assert again.score == again.trials["validation macro F1"].max() >= first.score
    assert set(again.best) == set(SPACE)
    # The test split must not choose.
    assert not [name for entry in children(parent) for name in entry.data.metrics if name.startswith("test")]
    assert mlflow.get_run(parent).data.metrics["validation/macro_f1"] == pytest.approx(again.score, abs=1e-4)


def test_a_trial_that_was_killed_before_its_first_sign_of_life_is_started_again(config):
    settings = config(trials=1, heartbeat_seconds=1)
    run(settings)
    optuna.load_study(study_name=None, storage=settings.storage).ask()  # runs, without any sign of life
    found = run(config(trials=2, heartbeat_seconds=1))
    assert found.trials["state"].value_counts().to_dict() == {"complete": 2, "fail": 1}


@pytest.mark.slow
def test_a_call_after_the_last_trial_only_gives_the_result(config):
    first = run(config())
    again = run(config())
    assert again.trials.equals(first.trials)
    assert f"validation macro F1 {again.score:.3f} with {again.settings()}\n" in again.text()
    assert "viewStateShareKey=claimkind-search-v1" in again.text().splitlines()[-1]


def test_an_error_in_the_other_settings_is_found_before_the_first_trial(config):
    with pytest.raises(ClaimkindError, match="source_weights names 'news', which has no training rows"):
        run(config(source_weights={"news": 0.5}))


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({}, "search is empty, expected settings to try"),
        (
            {"modle.C": {"low": 1, "high": 2}},
            "search has the unknown setting modle.C; did you mean model",
        ),
        ({"model.C": {"from": 1}}, r"search.model.C is {'from': 1}, expected {low, high}"),
        ({"model.Cc": {"low": 1.0, "high": 2.0}}, "unknown setting model.Cc; did you mean C"),
        ({"model.C": {"low": 5.0, "high": 1.0}}, "search.model.C goes from 5.0 to 1.0, expected numbers, the lower"),
        ({"model.C": {"low": 0, "high": 1.0, "log": True}}, "search.model.C goes from 0 on a log scale, expected"),
        ({"model.min_df": {"choices": []}}, "search.model.min_df has no choices"),
        ({"model.word_ngrams": {"low": 0, "high": 2}}, "model.word_ngrams=0, expected 1 to 10"),
        ({"max_labels": {"choices": ["many"]}}, "max_labels has a wrong value"),
        (
            {"dataset.test_share": {"low": 0.1, "high": 0.2}},
            "search has the unknown setting dataset.test_share",
        ),
        ({"model.min_df": {"choices": [1, 2, 0]}}, "model.min_df=0, expected at least 1"),
        ({"model.C": {"low": 1.0, "high": float("inf")}}, "search.model.C goes from 1.0 to inf, expected numbers"),
        ({"model.C": {"low": 1.0, "high": 2.0, "log": "maybe"}}, "search.model.C.log=maybe, expected true or false"),
    ],
)
def test_a_malformed_space_is_one_sentence(config, search, message):
    with pytest.raises(ClaimkindError, match=message):
        run(config(search=search))


@pytest.mark.slow
def test_workers_that_start_on_new_stores_lose_no_trial(config, in_workspace, tmp_path):
    found = run(config(trials=6, workers=2, experiment_name="workers"))
    assert len(found.trials) == 6
    assert (found.trials["state"] == "complete").all()
    assert found.trials["trial"].is_unique


def test_a_search_logs_its_progress_and_ends_with_the_command_of_the_winner(config, caplog):
    caplog.set_level("INFO")
    found = run(config(trials=2))
    first, second = (message for message in caplog.messages if re.match(r"trial \d+ of", message))
    assert re.fullmatch(r"trial 1 of 2, best so far [01]\.\d{3}, about \d+ (s|min) left", first)
    assert second == f"trial 2 of 2, best so far {found.score:.3f}"
    command = f"train it: python scripts/train.py model.C={found.best['model.C']} model.word_ngrams="
    assert command in found.text()


@pytest.mark.slow
def test_the_command_of_the_winner_keeps_what_the_search_was_given(config, in_workspace):
    where = f"paths.data_dir={in_workspace / 'data'}"
    arguments = ["dataset=tiny", "trials=1", "max_labels=60", "model.cues=0", "model.min_df=1", where]
    done = run_script("tune", "search=tfidf", *arguments, cwd=in_workspace, check=True)
    command = shlex.split(re.search("^train it: python (.+)$", done.stdout, re.MULTILINE)[1])
    assert command[:2] == ["scripts/train.py", "model=tfidf"]
    assert {"dataset=tiny", "max_labels=60", where} < set(command)
    assert not {"trials=1", "search=tfidf", "model.cues=0", "model.min_df=1"} & set(command)
    trained = run_script("train", *command[1:], cwd=in_workspace, check=True)
    assert "test macro F1" in trained.stdout


def test_a_study_of_other_choices_is_refused(config):
    run(config(search={"model.min_df": {"choices": [1, 2]}}, study_name="mine", trials=1))
    with pytest.raises(ClaimkindError, match=r"search\.model\.min_df differs from what the study mine searched before"):
        run(config(search={"model.min_df": {"choices": [1, 3]}}, study_name="mine", trials=2))


def test_a_study_of_another_model_is_refused(config):
    run(config(study_name="mine", trials=1))
    with pytest.raises(ClaimkindError, match="the study mine was of another dataset, model or setting"):
        run(config(model={**MODEL, "min_df": 2}, study_name="mine", trials=2))


def test_a_float_is_searched_on_fractions_although_its_range_has_whole_ends(config):
    found = run(config(search={"model.C": {"low": 1, "high": 2}, "model.min_df": {"low": 1, "high": 2}}, trials=3))
    assert any(value % 1 for value in found.trials["model.C"])
    assert not any(value % 1 for value in found.trials["model.min_df"])


def test_a_failed_trial_does_not_end_the_search_but_five_in_a_row_do(config, monkeypatch, caplog):
    errors: list[Exception] = [ClaimkindError("too rare: lower model.min_df"), RuntimeError("out of memory")]

    def trained(planned, *_):
        if errors or planned.params["model.min_df"] > 2:
            raise errors.pop() if errors else ClaimkindError("too rare: lower model.min_df")
        return 0.5

    monkeypatch.setattr("claimkind.training.trials.validate", trained)
    found = run(config(search={"model.min_df": {"choices": [1, 2]}}, trials=3))
    assert (found.trials["state"] == "complete").sum() == 3
    with pytest.raises(ClaimkindError, match="5 trials in a row failed, the last one because too rare"):
        run(config(search={"model.min_df": {"choices": [3]}}, trials=3))
    assert "failed: too rare: lower model.min_df" in caplog.text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"storage": "nosuch://x"}, r"storage=nosuch://x does not open \("),
        ({"heartbeat_seconds": 0}, "heartbeat_seconds=0, expected 1 at least"),
        ({"resume": True}, "a search resumes by itself"),
    ],
)
def test_wrong_settings_of_a_search_are_one_sentence(config, settings, message):
    with pytest.raises(ClaimkindError, match=message):
        run(config(**settings))


def test_a_search_whose_run_was_deleted_gets_a_new_one(config):
    run(config(trials=1))
    mlflow.delete_run(parent_of(config()))
    assert len(run(config(trials=2)).trials) == 2
    assert mlflow.get_run(parent_of(config())).info.lifecycle_stage == "active"


def test_a_searched_seed_is_the_seed_of_the_model():
    changed = with_values({"dataset": {"name": "tiny"}, "model": {**MODEL, "seed": 0}}, {"seed": 3})
    assert (changed.seed, changed.model["seed"]) == (3, 3)


def test_pruning_compares_trials_by_epochs_whatever_the_batch_size(config, monkeypatch):
    def trained(planned, name, parent_run_id, on_metrics):
        """An epoch has as many steps as `min_df` says; all but the first eight trainings are hopeless."""
        score = 0.8 if len(seen) < 8 else 0.1
        batch_size = planned.params["model.min_df"]
        seen.append(batch_size)
        for epoch in range(1, 4):
            on_metrics(epoch * batch_size, {"validation_macro_f1": score + epoch / 100})
        return score

    seen: list[int] = []
    monkeypatch.setattr("claimkind.training.trials.validate", trained)
    states = run(config(search={"model.min_df": {"low": 7, "high": 97}}, trials=12)).trials.set_index("trial")["state"]
    assert len(set(seen)) > 8
    assert states[states.index >= 8].tolist() == ["pruned"] * 4


def test_a_search_that_cannot_start_leaves_no_store(tmp_path):
    done = run_script("tune", "search=tfidf", "model=tfidf", cwd=tmp_path)
    assert "error: data/bundled holds no manifest.json" in done.stderr
    assert not (tmp_path / "mlflow.db").exists()
