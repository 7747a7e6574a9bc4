"""The logged model, as MLflow's `predict`, its server and Spark call it."""

import io
import json

import pandas as pd
import pytest
from fastapi.testclient import TestClient
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server
from mlflow.pyfunc.scoring_server import predictions_to_json

from claimkind import tracking
from claimkind.labels import LABELS, one_hot
from claimkind.models.hashing import HashingClassifier
from claimkind.models.prediction import OUTPUT_COLUMNS
from claimkind.scoring.pyfunc import SentenceModel
from tests.unit.scoring.test_scoring import MaySpeculates

TEXTS = ["Sun.", "It may rain."]


@pytest.fixture
def model():
    model = SentenceModel()
    model.classifier = MaySpeculates()
    return model


def labels_of(model, texts):
    return model.predict(None, pd.DataFrame({"text": texts}))["label"].tolist()


def test_there_is_a_row_for_each_row_whatever_the_index(model):
    rows = pd.DataFrame({"text": ["Sun.", None, "It may rain."]}, index=[5, 6, 7])
    labelled = model.predict(None, rows)
    assert labelled.columns.tolist() == list(OUTPUT_COLUMNS)
    assert labelled.index.tolist() == [0, 1, 2]
    assert labelled["label"].tolist() == ["factual", None, "speculative"]


@pytest.mark.parametrize("blank", ["", "  ", "\n\t", "\u200b", "\u3164", None, float("nan"), pd.NA])
def test_blank_text_gets_no_label(model, blank):
    assert labels_of(model, ["Sun.", blank]) == ["factual", None]
    assert labels_of(model, [blank]) == [None]


def test_missing_values_are_null_in_json(model):
    answer = io.StringIO()
    predictions_to_json(model.predict(None, pd.DataFrame({"text": [None, "Sun."]})), answer)
    assert "NaN" not in answer.getvalue()
    first, second = json.loads(answer.getvalue())["predictions"]
    assert set(first.values()) == {None}
    assert (second["label"], second["confidence"]) == ("factual", 0.9)


def test_numbers_stay_numbers_where_every_row_has_text(model):
    assert model.predict(None, pd.DataFrame({"text": TEXTS}))["confidence"].dtype.kind == "f"


@pytest.mark.parametrize("texts", [["Sun.", ["a", "b"]], [{"a": 1}], [["Sun.", ["a"]]]])
def test_what_is_no_text_is_refused(model, texts):
    with pytest.raises(MlflowException, match=r"text is (list|dict), expected a string in each row"):
        labels_of(model, texts)


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    import mlflow

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("pyfunc"))
        fitted = HashingClassifier().fit([*TEXTS, "A shame."], one_hot(["factual", "speculative", "opinion"]))
        with tracking.start_run("pyfunc", "model", {}) as tracked:
            uri = tracked.log_model(fitted)
        yield mlflow.pyfunc.load_model(uri)


def test_a_logged_model_takes_a_dictionary_of_lists(logged):
    by_rows = logged.predict(pd.DataFrame({"text": TEXTS}))
    assert len(by_rows) == 2
    assert logged.predict({"text": TEXTS})["label"].tolist() == by_rows["label"].tolist()


def split(*rows, columns=("text",)):
    return json.dumps({"dataframe_split": {"columns": columns, "data": rows}})


@pytest.mark.parametrize(
    ("body", "kind", "sentence"),
    [
        (split(["word " * 2_000_000]), "json", "text has 10,000,000 characters, expected at most 1,000,000: split it"),
        (split(["a"], columns=["body"]), "json", "missing inputs ['text']"),
        (split(["a", "b"]), "json", "not a valid dataframe"),
        ("hello", "json", "valid JSON"),
        ("", "json", "valid JSON"),
        ("null", "json", "must be a JSON dictionary"),
        ("[]", "json", "must be a JSON dictionary"),
        ('{"inputs": 3}', "json", "Failed to enforce schema"),
        (b"\xff\xfe\x00", "json", "valid JSON"),
        ("a,b\n1,2", "csv", "missing inputs ['text']"),
    ],
    ids=[*"abcdefghij"],
)
def test_a_request_that_is_none_is_answered_with_a_sentence(body, kind, sentence, logged):
    client = TestClient(scoring_server.init(logged), raise_server_exceptions=False)
    headers = {"Content-Type": "application/json" if kind == "json" else "text/csv"}
    answer = client.post("/invocations", content=body, headers=headers)
    assert answer.status_code == 400
    assert sentence in answer.json()["message"]


def test_the_server_goes_on_after_requests_that_mlflow_does_not_parse(logged):
    # MLflow answers them with 500; docs/scoring.md says so.
    client = TestClient(scoring_server.init(logged), raise_server_exceptions=False)
    nested = client.post("/invocations", content="[" * 100_000, headers={"Content-Type": "application/json"})
    without_type = client.post("/invocations", content="x", headers={})
    assert (nested.status_code, without_type.status_code) == (500, 500)
    assert client.post("/invocations", json={"inputs": {"text": TEXTS}}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_records": [{"text": None}, {"text": "Sun."}]}, {"inputs": {"text": ["  ", "Sun."]}},
        {"dataframe_split": {"columns": ["text"], "data": [[""], ["Sun."]]}},
    ],
)  # fmt: skip
def test_the_server_answers_null_where_there_is_no_text(logged, body):
    answer = TestClient(scoring_server.init(logged)).post("/invocations", json=body)
    assert "NaN" not in answer.text
    first, second = answer.json()["predictions"]
    assert set(first.values()) == {None}
    assert second["label"] in LABELS
