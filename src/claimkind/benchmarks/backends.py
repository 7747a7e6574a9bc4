"""The backends whose speed is compared: ours, and what a user would write with other libraries."""

import contextlib
import functools
import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from claimkind import models
from claimkind.benchmarks.baselines import FastText
from claimkind.benchmarks.onnx_export import INT8
from claimkind.benchmarks.timing import Backend, Predict
from claimkind.config import ScoreConfig
from claimkind.dataset.load import load_dataset
from claimkind.dataset.rows import with_names
from claimkind.labels import LABELS, PROBABILITY_COLUMNS
from claimkind.manifest import MANIFEST
from claimkind.models.base import Predictor
from claimkind.models.calibration import uncalibrated
from claimkind.models.inference import Inference
from claimkind.models.prediction import label_with_windows
from claimkind.models.regression import in_label_order
from claimkind.models.transformer.layers import computes_int8
from claimkind.scoring import engine

OURS_FP32 = "ours, PyTorch, fp32"
"""Name of the backend whose labels the others are compared with."""
QUANTIZED = "quantized"
"""Folder, in that of the conversions, of our model in int8."""
_BATCH = 32
_ONNX = ("onnx", "onnxscript", "onnxruntime")
_OPENVINO = ("openvino", "nncf")


class TransformerBackend(NamedTuple):
    """A backend that predicts with a saved transformer."""

    name: str
    load: Callable[[Path, Path], Predict]
    """Takes the folder of the saved model and that of its conversions."""
    requires: tuple[str, ...] = ()
    """Modules that it imports beyond those of the package itself."""
    int8: bool = False
    """Whether it reads our model in int8."""

    def is_available(self) -> bool:
        """Whether its modules are installed, and the processor has instructions for int8 where it needs them."""
        installed = all(importlib.util.find_spec(module) for module in self.requires)
        return installed and (not self.int8 or computes_int8())

    def needs_export(self) -> bool:
        """Whether it reads the model in ONNX."""
        return "onnx" in self.requires

    def of(self, folder: Path, exported: Path) -> Backend:
        """The backend for one model."""
        return Backend(self.name, functools.partial(self.load, folder, exported))


@runtime_checkable
class LinearFeatures(Protocol):
    """A model that scikit-learn can compute: features by its vectorisers, and its logistic regression."""

    features_: Any
    regression_: Any


def linear_backends(folder: Path) -> list[Backend]:
    """The backends for a saved model that predicts on one core: ours and, where it can compute it, scikit-learn."""
    classifier = models.load(folder)
    family = models.family_of(classifier)
    backends = [
        Backend(f"{family}, scripts/score.py", functools.partial(_score_script, folder)),
        Backend(f"{family}, predict_proba on a list", functools.partial(_predict_proba, folder)),
    ]
    if isinstance(uncalibrated(classifier), LinearFeatures):
        backends.append(Backend("scikit-learn, predict_proba on a list", functools.partial(_scikit_learn, folder)))
    return backends


def fasttext_backends(data_dir: str, dataset: str) -> list[Backend]:
    """FastText trained on a dataset; none if it is not installed."""
    if not importlib.util.find_spec("fasttext"):
        return []
    return [Backend("fastText, predict on a list", functools.partial(_fasttext, data_dir, dataset))]


def _predict_ours(classifier: Predictor) -> Predict:
    return lambda texts: label_with_windows(classifier, texts)[list(PROBABILITY_COLUMNS)].to_numpy()


def _ours(backend: str, precision: str, folder: Path, exported: Path) -> Predict:
    source = exported / QUANTIZED if precision == "int8" else folder
    return _predict_ours(models.load(source, Inference(backend, precision)))


def _pipeline(batch_size: int, folder: Path, _: Path) -> Predict:
    import torch
    from transformers import pipeline

    device = 0 if torch.cuda.is_available() else -1
    classify = pipeline(
        "text-classification", model=str(folder), device=device, dtype=torch.float32, trust_remote_code=False
    )

    def predict(texts: list[str]) -> np.ndarray:
        found: Any = classify(texts, batch_size=batch_size, top_k=None, truncation=True)
        by_label = [{entry["label"]: entry["score"] for entry in row} for row in found]
        return np.array([[row[name] for name in LABELS] for row in by_label])

    return predict


def _in_batches(folder: Path, logits_of: Callable[[dict[str, np.ndarray]], np.ndarray]) -> Predict:
    """The loop of many tutorials: batches of 32 in the given order, each padded to its longest text."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)

    def predict(texts: list[str]) -> np.ndarray:
        logits = []
        for start in range(0, len(texts), _BATCH):
            batch = tokenizer(
                texts[start : start + _BATCH], padding=True, truncation=True,
                return_tensors="np", return_token_type_ids=False,
            )  # fmt: skip
            logits.append(logits_of({name: values.astype(np.int64) for name, values in batch.items()}))
        values = np.exp(np.concatenate(logits))
        return np.asarray(values / values.sum(axis=1, keepdims=True))

    return predict


def _onnx_int8(folder: Path, exported: Path) -> Predict:
    import onnxruntime

    session = onnxruntime.InferenceSession(exported / INT8, providers=["CPUExecutionProvider"])
    return _in_batches(folder, lambda batch: session.run(None, batch)[0])


def _openvino(precision: str, folder: Path, exported: Path) -> Predict:
    from claimkind.models.transformer.openvino import compile_graph, converted

    if precision == "int8":
        graph: Any = exported / QUANTIZED / "int8.xml"
    else:
        inner: Any = uncalibrated(models.load(folder, Inference("torch")))
        graph = converted(inner.model_, folder / MANIFEST)
    compiled = compile_graph(graph, precision, "LATENCY")
    return _in_batches(folder, lambda batch: compiled([batch["input_ids"], batch["attention_mask"]])[0])


def _backends_of_ours() -> dict[str, TransformerBackend]:
    found = {"ours": TransformerBackend("ours, as it chooses", functools.partial(_ours, "auto", "auto"))}
    for backend, shown, requires in (("torch", "PyTorch", ()), ("openvino", "OpenVINO", _OPENVINO)):
        for precision in ("fp32", "bf16", *(["int8"] if requires else [])):
            load = functools.partial(_ours, backend, precision)
            name = f"ours, {shown}, {precision}"
            found[f"{backend}_{precision}"] = TransformerBackend(name, load, requires, precision == "int8")
    return found


TRANSFORMER_BACKENDS = {
    **_backends_of_ours(),
    "pipeline_32": TransformerBackend("pipeline, batches of 32", functools.partial(_pipeline, _BATCH)),
    "pipeline_1": TransformerBackend("pipeline, one by one", functools.partial(_pipeline, 1)),
    "onnx_int8": TransformerBackend("ONNX Runtime, int8, batches of 32", _onnx_int8, _ONNX),
    **{
        f"loop_{precision}": TransformerBackend(
            f"OpenVINO, {precision}, batches of 32",
            functools.partial(_openvino, precision),
            _OPENVINO,
            precision == "int8",
        )
        for precision in ("fp32", "int8")
    },
}
"""By the name that `benchmark.backends` gives them."""


def _score_script(folder: Path) -> Predict:
    """Scoring as `scripts/score.py` does it; reading, writing and starting processes are part of the time."""

    def predict(texts: list[str]) -> np.ndarray:
        with tempfile.TemporaryDirectory() as place, contextlib.redirect_stdout(None):
            source, output = Path(place) / "in.parquet", Path(place) / "out.parquet"
            pd.DataFrame({"text": texts}).to_parquet(source)
            engine.run(ScoreConfig(input=str(source), output=str(output), model_uri=str(folder)))
            return pd.read_parquet(output)[list(PROBABILITY_COLUMNS)].to_numpy()

    return predict


def _predict_proba(folder: Path) -> Predict:
    return models.load(folder).predict_proba


def _scikit_learn(folder: Path) -> Predict:
    """The same model computed by scikit-learn's vectorisers and regression."""
    model: Any = uncalibrated(models.load(folder))
    return lambda texts: in_label_order(model.regression_, model.features_.by_vectorisers(texts))


def _fasttext(data_dir: str, dataset: str) -> Predict:
    train = with_names(load_dataset(data_dir, dataset).splits["train"])
    train = train[train["label"].notna()]
    system = FastText(epochs=5)
    system.fit(train["text"].tolist(), train["label"].tolist())
    return lambda texts: np.eye(len(LABELS))[system.predict(texts)]
