"""The saved views of an experiment, and the addresses that scripts print."""

import base64
import json
import zlib

import mlflow
import pytest

from claimkind import tracking
from claimkind.tracking.views import VIEWS

KEY = "mlflow.sharedViewState.claimkind-leaderboard-v1"


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")


def tags():
    return mlflow.get_experiment_by_name("mine").tags


def state_of(tag):
    return json.loads(zlib.decompress(base64.b64decode(json.loads(tag)["state"].removeprefix("deflate;"))))


def test_a_new_experiment_has_views_a_description_and_a_main_metric(store):
    tracking.prepare_store("mine")
    found = tags()
    assert {f"mlflow.sharedViewState.{view.id}" for view in VIEWS.values()} <= set(found)
    assert found["mlflow.experiment.primaryMetric.name"] == "test/macro_f1"
    assert all(view.title in found["mlflow.note.content"] for view in VIEWS.values())
    state = state_of(found[KEY])
    assert state["orderByKey"] == "metrics.`validation/macro_f1`" and not state["orderByAsc"]
    assert state["searchFilter"] == "tags.kind = 'training'"
    assert all(len(value) < 20_000 for value in found.values()), "the UI refuses longer views"


def test_the_filters_of_the_views_are_searches_that_mlflow_accepts(store):
    tracking.prepare_store("mine")
    for view in VIEWS.values():
        mlflow.search_runs(experiment_names=["mine"], filter_string=view.filter)


def test_what_a_user_changed_or_deleted_stays_so(store):
    tracking.prepare_store("mine")
    client, experiment = mlflow.MlflowClient(), mlflow.get_experiment_by_name("mine")
    client.set_experiment_tag(experiment.experiment_id, KEY, "edited")
    deleted = KEY.replace("leaderboard", "search")
    client.delete_experiment_tag(experiment.experiment_id, deleted)
    tracking.prepare_store("mine")
    assert tags()[KEY] == "edited" and deleted not in tags()


def test_an_experiment_of_an_earlier_version_gets_the_views_and_keeps_its_description(store):
    mlflow.MlflowClient().create_experiment("mine", tags={"mlflow.note.content": "ours"})
    tracking.prepare_store("mine")
    assert KEY in tags() and tags()["mlflow.note.content"] == "ours"


def test_an_address_is_that_of_the_tracking_server_or_of_make_ui(store, monkeypatch):
    page = tracking.run_page("1", "abc")
    assert tracking.hint(page) == (
        "http://127.0.0.1:5000/#/experiments/1/runs/abc?workflowType=machine_learning  (start the server with: make ui)"
    )
    monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: "https://mlflow.example/")
    assert tracking.hint(page) == "https://mlflow.example/#/experiments/1/runs/abc?workflowType=machine_learning"


def test_a_table_is_shown_as_it_is_also_when_a_resumed_run_logs_it_again(store):
    import pandas as pd

    rows = pd.DataFrame({"text": ["A “b”."], "label": ["factual"]})
    with tracking.start_run("mine", "first", {}) as tracked:
        tracked.log_table(rows, "predictions/test.json")
    with tracking.start_run("mine", "", {}, tracked.run_id) as again:
        again.log_table(rows, "predictions/test.json")
    logged = mlflow.load_table("predictions/test.json", run_ids=[tracked.run_id])
    assert logged.to_dict("list") == {"text": ["A “b”."], "label": ["factual"]}
