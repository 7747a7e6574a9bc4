"""Listing and choosing registered models, with two versions of made-up runs."""

import mlflow
import pytest
from mlflow.exceptions import MlflowException

from claimkind import tracking
from claimkind.config import ModelsConfig
from claimkind.errors import ClaimkindError
from claimkind.evaluation.registered import run


@pytest.fixture(scope="module")
def store(new_store):
    """Two versions of a registered model, the second with the alias."""
    client = mlflow.MlflowClient()
    for number, score in enumerate((0.7, 0.8), start=1):
        with tracking.start_run("e", f"tfidf · tiny · C={number}", {}) as tracked:
            tracked.log_config({}, {"dataset": "tiny", "model.C": number})
            figures = {"test/macro_f1": score, "test/macro_f1_low": score - 0.1, "test/macro_f1_high": score + 0.1}
            tracked.log_metrics({**figures, "validation/macro_f1": score})
        if number == 1:
            client.create_registered_model("claimkind")
        client.create_model_version("claimkind", f"file:{new_store}", run_id=tracked.run_id)
    tracking.set_alias("claimkind", "champion", 2)


def test_the_list_has_the_scores_and_the_alias(store):
    table = run(ModelsConfig()).table.set_index("version")
    assert list(table.index) == [2, 1]
    assert table["alias"].to_dict() == {2: "champion", 1: ""}
    assert table["test macro F1"].to_dict() == {2: "0.800 [0.700, 0.900]", 1: "0.700 [0.600, 0.800]"}
    assert table.loc[1, "model"] == "tfidf · tiny · C=1" and table.loc[1, "dataset"] == "tiny"


@pytest.mark.parametrize("wanted", ["2", "champion"])
def test_one_version_is_shown_with_its_run_and_settings(store, wanted):
    text = run(ModelsConfig(show=wanted)).text()
    assert text.startswith("model ") and "models:/claimkind/2" in text
    assert "test macro_f1    0.800 [0.700, 0.900]" in text or "0.800 [0.700, 0.900]" in text
    assert "model.C=2" in text and "tfidf · tiny · C=2" in text


def test_the_alias_moves_to_an_earlier_version(store):
    assert run(ModelsConfig(champion="1")).text() == "models:/claimkind@champion is version 1 now: tfidf · tiny · C=1"
    assert run(ModelsConfig(show="champion")).chosen.number == 1
    run(ModelsConfig(champion="2"))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"show": "7"}, "show=7 is no version, expected one of 2, 1, champion"),
        ({"champion": "best"}, "champion=best is no version"),
        ({"show": "1", "champion": "1"}, "show and champion are two commands"),
        ({"champion": "1", "alias": "v1"}, "alias='v1' is no name that MLflow takes"),
        ({"registered_name": "other"}, r"no model is registered as 'other' .*expected one of claimkind"),
    ],
)
def test_what_does_not_exist_is_one_sentence(store, settings, sentence):
    with pytest.raises(ClaimkindError, match=sentence):
        run(ModelsConfig(**settings))


def test_a_store_that_does_not_answer_is_one_sentence(store, monkeypatch):
    def fail(*_, **__):
        raise MlflowException("connection refused")

    for method in ("get_registered_model", "search_registered_models", "set_registered_model_alias"):
        monkeypatch.setattr(mlflow.MlflowClient, method, fail)
    for call in (lambda: tracking.list_versions("claimkind"), lambda: tracking.set_alias("claimkind", "champion", 1)):
        with pytest.raises(ClaimkindError, match=r"does not answer \(connection refused\)"):
            call()
