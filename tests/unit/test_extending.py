"""The examples of docs/extending.md keep the contracts that they are examples of."""

import importlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from claimkind import models
from claimkind.config import build
from claimkind.labels import LABELS, one_hot
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"```(?:python|yaml)\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture
def add_module(tmp_path, monkeypatch):
    """Add the module of an example to its package, and import it."""

    def add(path: str):
        package = importlib.import_module(".".join(Path(path).parts[1:-1]))
        folder = tmp_path / Path(path).parent
        folder.mkdir(parents=True)
        (folder / Path(path).name).write_text(EXAMPLES[path], encoding="utf-8")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
        return importlib.import_module(f"{package.__name__}.{Path(path).stem}")

    return add


def test_every_example_belongs_to_a_folder_that_exists():
    assert len(EXAMPLES) == 8
    assert all((ROOT / path).parent.is_dir() for path in EXAMPLES)


def test_the_model_family_learns_and_is_the_same_after_saving(add_module, tmp_path):
    add_module("src/claimkind/models/prior.py")
    settings = yaml.safe_load(EXAMPLES["configs/model/prior.yaml"].replace("${seed}", "0"))
    classifier = build(settings, "model", "claimkind.models")
    classifier.fit(["a", "b", "c"], one_hot(["factual", "factual", "opinion"]))
    probabilities = classifier.predict_proba(["x", "y"])
    assert probabilities[1] == pytest.approx([0.5, 1 / 6, 1 / 3])
    models.save(classifier, tmp_path / "saved")
    loaded = models.load(tmp_path / "saved")
    assert loaded.settings == classifier.settings
    assert np.array_equal(loaded.predict_proba(["x", "y"]), probabilities)


def test_the_corpus_is_read(add_module, tmp_path):
    add_module("src/claimkind/dataset/sources/by_label.py")
    for label in LABELS:
        (tmp_path / f"{label}.txt").write_text(f"A {label} one.\nAnother {label} one.\n")
    settings = yaml.safe_load(EXAMPLES["configs/source/by_label.yaml"]) | {"folder": str(tmp_path)}
    rows = build(settings, "dataset.sources.mine", "claimkind.dataset").read("mine")
    assert rows["label"].value_counts().to_dict() == dict.fromkeys(LABELS, 2)
    assert rows["id"].is_unique


def test_the_metric_joins_the_table_of_metrics():
    scores = importlib.import_module("claimkind.metrics.scores")
    names = dict(vars(scores))
    exec(EXAMPLES["src/claimkind/metrics/scores.py"], names)  # noqa: S102
    samples = scores.Samples(
        truth=np.array([0, 0, 1, 2]), probabilities=np.eye(3)[[0, 1, 1, 2]], members=np.arange(4),
        drawn=np.ones((1, 4)),
    )  # fmt: skip
    assert scores.compute(samples, names["METRICS"])["balanced_accuracy"] == pytest.approx([(0.5 + 1 + 1) / 3])


def test_rows_of_the_file_format_come_back(add_module, tmp_path):
    from claimkind.io.base import TableOptions
    from claimkind.io.input_file import InputFile

    feather = add_module("src/claimkind/io/feather.py")
    rows = pd.DataFrame({"text": ["a", "b", "c"], "n": [1, 2, 3]})
    for number, part in enumerate((rows[:2], rows[2:])):
        feather.FORMAT.output.write(part, tmp_path / f"{number}.feather")
    feather.FORMAT.output.join([tmp_path / "0.feather", tmp_path / "1.feather"], tmp_path / "all.feather")
    table = feather.FORMAT.read(InputFile(tmp_path / "all.feather", "all.feather"), TableOptions(batch_size=2))
    assert list(table.columns) == ["text", "n"]
    assert [[row.values for row in batch] for batch in table.batches] == [
        rows[:2].to_dict("records"), rows[2:].to_dict("records"),
    ]  # fmt: skip
    formats = importlib.import_module("claimkind.io.formats")
    names = {"FORMATS": dict(formats.FORMATS), "feather": feather}
    exec(EXAMPLES["src/claimkind/io/formats.py"], names)  # noqa: S102
    assert names["FORMATS"].keys() - formats.FORMATS.keys() == {".feather"}


def test_the_backend_gives_the_logits_of_its_session(add_module, tiny_encoder):
    from claimkind.models.transformer import TransformerClassifier, TransformerSettings

    onnx = add_module("src/claimkind/models/transformer/onnx.py")
    texts = ["Rain fell.", "Rain may fall.", "The mill was a shame."]
    settings = TransformerSettings(encoder=str(tiny_encoder), epochs=1, precision="fp32")
    classifier = TransformerClassifier(settings).fit(texts, one_hot(LABELS))
    original, expected = classifier.backend_, classifier.predict_proba(texts)

    class Session:
        def run(self, names, inputs):
            assert names == ["logits"]
            return [original.logits(inputs)]

    classifier.backend_ = onnx.OnnxBackend(Session(), original)
    assert np.array_equal(classifier.predict_proba(texts), expected)
    assert classifier.features(texts).shape == (3, original.feature_size)
    assert classifier.compute_dtype.endswith("ONNX Runtime")
