import subprocess
import sys

import mlflow
import numpy as np
import pandas as pd
import pytest

from claimkind import tracking
from claimkind.config import PathsConfig, TrainConfig
from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS, PROBABILITY_COLUMNS, label_indices
from claimkind.metrics.scores import macro_f1
from claimkind.training.pipeline import run
from tests.conftest import dataset_config

FAMILIES = {
    "tfidf": {"_target_": "claimkind.models.tfidf.TfidfClassifier", "min_df": 1},
    "transformer": {
        "_target_": "claimkind.models.transformer.TransformerClassifier",
        "epochs": 3,
        "batch_size": 16,
        "learning_rate": 5e-3,
    },
}


@pytest.fixture(scope="module", params=FAMILIES)
def trained(request, workspace, seeds, tiny_encoder):
    settings = dict(FAMILIES[request.param])
    if request.param == "transformer":
        settings["encoder"] = str(tiny_encoder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workspace)
        result = run(
            TrainConfig(
                dataset=dataset_config(seeds), model=settings, paths=PathsConfig(data_dir=str(workspace / "data"))
            )
        )
        yield result, mlflow.get_run(result.run_id)


def artifact(run_id: str, name: str) -> pd.DataFrame:
    return pd.read_parquet(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=name))


def test_a_run_has_everything_to_repeat_and_compare_it(trained):
    result, logged = trained
    names = {entry.path for entry in mlflow.MlflowClient().list_artifacts(result.run_id)}
    names |= {entry.path for entry in mlflow.MlflowClient().list_artifacts(result.run_id, "plots")}
    assert logged.info.status == "FINISHED"
    assert {"config.yaml", "environment.txt", "model_card.md", "predictions", "plots"} <= names
    assert {f"plots/test_{kind}.png" for kind in ("confusion", "reliability", "precision_recall")} <= names
    assert len(logged.data.tags["git_commit"]) >= 7
    assert logged.data.params["dataset"] == "tiny"
    assert logged.data.params["model._target_"].startswith("claimkind.models.")
    assert {entry.tags[0].value for entry in logged.inputs.dataset_inputs} == {"training", "validation", "testing"}
    metrics = logged.data.metrics
    assert metrics["test/macro_f1_low"] <= metrics["test/macro_f1"] <= metrics["test/macro_f1_high"]
    assert {f"test/f1_{label}" for label in LABELS} <= set(metrics)


def test_the_logged_model_gives_the_probabilities_of_training_time(trained):
    result, _ = trained
    predictions = artifact(result.run_id, "predictions/test.parquet")
    rows = pd.read_parquet("data/tiny/test.parquet").set_index("id").loc[predictions["id"]]
    expected = predictions[list(PROBABILITY_COLUMNS)].to_numpy()
    ours = tracking.fetch_model(result.model_uri).predict_proba(rows["text"].tolist())
    scored = mlflow.pyfunc.load_model(result.model_uri).predict(pd.DataFrame({"text": rows["text"].tolist()}))
    np.testing.assert_allclose(ours, expected, atol=1e-6)
    np.testing.assert_allclose(scored[list(PROBABILITY_COLUMNS)].to_numpy(), expected, atol=1e-6)
    assert scored["label"].tolist() == [LABELS[index] for index in expected.argmax(axis=1)]


def test_the_metric_of_training_time_is_that_of_the_reloaded_model(trained):
    result, logged = trained
    rows = pd.read_parquet("data/tiny/test.parquet")
    probabilities = tracking.fetch_model(result.model_uri).predict_proba(rows["text"].tolist())
    again = macro_f1(label_indices(rows["label"].tolist()), probabilities.argmax(axis=1))
    assert again == pytest.approx(logged.data.metrics["test/macro_f1"], abs=1e-4)


def test_checkpoints_are_gone_once_the_run_is_finished(trained, workspace):
    assert list((workspace / "data" / "checkpoints").iterdir()) == []


@pytest.mark.slow
def test_the_model_loads_without_our_package_on_the_path(trained, tmp_path):
    # A server or a worker has only what was shipped with the model.
    code = (
        "import sys, mlflow, pandas as pd\n"
        "sys.path[:] = [p for p in sys.path if not p.rstrip('/').endswith('src')]\n"
        "sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in repr(f).lower()]\n"
        "model = mlflow.pyfunc.load_model(sys.argv[1])\n"
        "print(model.predict(pd.DataFrame({'text': ['Rain might reach Corm soon.']})).label[0])\n"
        "import claimkind; assert '/code/' in claimkind.__file__, claimkind.__file__\n"
    )
    folder = mlflow.artifacts.download_artifacts(trained[0].model_uri, dst_path=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] in LABELS


def test_a_student_learns_from_a_saved_model(in_workspace, seeds, trained):
    result, _ = trained
    config = TrainConfig(
        dataset=dataset_config(seeds), model={"_target_": "claimkind.models.hashing.HashingClassifier"},
        paths=PathsConfig(data_dir="data"), max_labels=3, distil_from=[result.model_uri], evidence_weight=1.0,
        distil_texts=[str(seeds / "documents")],
    )  # fmt: skip
    taught = run(config)
    assert taught.test.scores["macro_f1"].value > 0.8, "the student learned nothing from its teacher"
    assert mlflow.get_run(taught.run_id).data.params["distil_from"] == str([result.model_uri])


def test_init_from_an_alias_logs_the_model_that_it_points_at(in_workspace, seeds, trained, tiny_encoder):
    result, logged = trained
    tracking.register(result.run_id, "begun", "newest")
    settings = {**FAMILIES["transformer"], "encoder": str(tiny_encoder), "epochs": 1}
    config = TrainConfig(
        dataset=dataset_config(seeds),
        model=settings,
        paths=PathsConfig(data_dir="data"),
        init_from="models:/begun@newest",
    )
    if logged.data.params["model._target_"].endswith("TfidfClassifier"):
        with pytest.raises(ClaimkindError, match=f"init_from={result.model_uri} is a model without an encoder"):
            run(config)
        return
    params = mlflow.get_run(run(config).run_id).data.params
    assert params["init_from"] == result.model_uri
    assert params["model.encoder"] == str(tiny_encoder)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"evidence_weight": 1.0, "distil_share": 0.0}, "distil_from has no text to teach with, expected rows without"),
        ({"evidence_weight": 0.0, "distil_share": 0.0}, "distil_from has no effect with evidence_weight=0: raise it"),
        ({"distil_from": [], "distil_texts": ["seeds"]}, "distil_texts is given, but no distil_from"),
    ],
)
def test_a_distillation_without_weight_texts_or_teacher_is_one_sentence(
    changes, sentence, in_workspace, seeds, trained
):
    settings = {"distil_from": [trained[0].model_uri], **changes}
    config = TrainConfig(
        dataset=dataset_config(seeds), model=FAMILIES["tfidf"], paths=PathsConfig(data_dir="data"), **settings
    )
    with pytest.raises(ClaimkindError, match=sentence):
        run(config)
