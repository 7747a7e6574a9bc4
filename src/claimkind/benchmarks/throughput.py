"""How fast scoring is beside what a user would write by hand, and beside what the machine can compute."""

import contextlib
import functools
import importlib.util
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from claimkind import models, tracking
from claimkind.benchmarks.baselines import FastText
from claimkind.config import nearest
from claimkind.dataset.load import load_dataset
from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS, PROBABILITY_COLUMNS
from claimkind.models.base import Predictor
from claimkind.models.calibration import CalibratedClassifier
from claimkind.models.prediction import label_with_windows
from claimkind.models.regression import in_label_order

Label = Callable[[list[str]], np.ndarray]
"""Probabilities (n, 3), or one-hot labels, of n texts."""

_LONG_TOKENS = 512
_BATCH = 32
_WARM_UP = 64
_EXACT = "ours in fp32"
"""The backend that the others' labels are compared with."""
_EXPORTED_BY = ("onnx", "onnxscript", "onnxruntime")


class ThroughputBenchmark:
    """Labels the same sentences in several backends, each time in a process of its own, the backends taking turns."""

    def __init__(
        self,
        dataset: str,
        data_dir: str,
        model_uri: str | None,
        fast_model_uris: list[str],
        backends: list[str],
        sentences: int = 4000,
        fast_sentences: int = 100_000,
        long_share: float = 0.01,
        rounds: int = 5,
        seed: int = 0,
    ) -> None:
        """Settings.

        Args:
            dataset: name of a built dataset whose training sentences are labelled.
            data_dir: where it is.
            model_uri: of a transformer; None leaves out the backends that use it.
            fast_model_uris: of models of other families.
            backends: to use the transformer, of `ours`, `fp32`, `bf16`, `pipeline_32`, `pipeline_1`, `onnx_int8` and
                `openvino`, where what they need is installed; the others' speed is related to the first's. `bf16` is
                ours in bf16 also where the processor only imitates it: slow, but it tells how far its labels agree.
            sentences: for the backends that use the transformer.
            fast_sentences: for the others; sentences are told apart by numbers behind them where there are too few.
            long_share: share of the sentences that are 512 tokens long in the second part; 0 leaves that part out.
            rounds: how often each backend is measured; the median counts.
            seed: of the sentences drawn.

        Raises:
            ClaimkindError: there is no such backend.
        """
        for backend in backends:
            if backend not in _BACKENDS:
                raise ClaimkindError(f"benchmark.backends names {backend!r}; {nearest(backend, _BACKENDS)}")
        self.dataset, self.data_dir, self.seed = dataset, data_dir, seed
        self.model_uri, self.fast_model_uris = model_uri, fast_model_uris
        self.sentences, self.fast_sentences = sentences, fast_sentences
        self.backends, self.long_share, self.rounds = backends, long_share, rounds

    def measure(self) -> pd.DataFrame:
        """Sentences a second of each backend, how they relate, and how far its labels and probabilities agree with fp32."""
        train = load_dataset(self.data_dir, self.dataset).splits["train"]["text"][:]
        tables = self._measure_transformer(self.model_uri, train) if self.model_uri else []
        tables += self._measure_fast(train)
        if not tables:
            raise ClaimkindError("nothing to measure, expected a model: give benchmark.model_uri or fast_model_uris")
        return pd.concat(tables, ignore_index=True)

    def _measure_transformer(self, model_uri: str, train: Sequence[str]) -> list[pd.DataFrame]:
        folder = tracking.fetch_folder(model_uri)
        random = np.random.default_rng(self.seed)
        ordinary = [train[row] for row in random.permutation(len(train))[: self.sentences]]
        parts = {"ordinary": ordinary}
        if self.long_share:
            parts[f"{self.long_share:.0%} long"] = _with_long(ordinary, round(self.long_share * len(ordinary)), random)
        with tempfile.TemporaryDirectory() as scratch:
            asked = [_BACKENDS[backend] for backend in self.backends]
            backends = [backend for backend in asked if all(importlib.util.find_spec(name) for name in backend.needs)]
            if not backends:
                raise ClaimkindError(f"nothing installed for {', '.join(self.backends)}: pip install -e '.[bench]'")
            if any("onnx" in backend.needs for backend in backends):
                _export(folder, Path(scratch))
            tables = [
                _measure(backends, folder, Path(scratch), texts, self.rounds).assign(texts=name)
                for name, texts in parts.items()
            ]
        print(_ceilings(folder, tables[0], ordinary).to_string(index=False))  # noqa: T201
        return tables

    def _measure_fast(self, train: Sequence[str]) -> list[pd.DataFrame]:
        many = [f"{train[row % len(train)]} {row // len(train) or ''}".strip() for row in range(self.fast_sentences)]
        tables = []
        for uri in self.fast_model_uris:
            folder = tracking.fetch_folder(uri)
            name = models.family_of(models.load(folder))
            backends = [
                Backend(f"{name}, scripts/score.py", _by_engine, ()),
                Backend(f"{name}, predict_proba on a list", _by_predict_proba, ()),
                *([Backend("scikit-learn, predict_proba on a list", _by_scikit_learn, ())] if name == "tfidf" else []),
            ]
            tables.append(_measure(backends, folder, Path(self.data_dir) / self.dataset, many, self.rounds))
        if importlib.util.find_spec("fasttext"):
            backend = Backend("fastText, predict on a list", _by_fasttext, ("fasttext",))
            tables.append(_measure([backend], Path(), Path(self.data_dir) / self.dataset, many, self.rounds))
        return [table.assign(texts="distinct") for table in tables]


class Backend(NamedTuple):
    """A backend to label."""

    name: str
    prepare: Callable[[Path, Path], Label]
    """Takes the folder of the model and that of what was exported."""
    needs: tuple[str, ...]
    """Modules."""


class Timing(NamedTuple):
    seconds: float
    probabilities: np.ndarray


def _measure(backends: Sequence[Backend], folder: Path, scratch: Path, texts: list[str], rounds: int) -> pd.DataFrame:
    """Each backend `rounds` times, one after the other in turn."""
    took: dict[str, list[Timing]] = {backend.name: [] for backend in backends}
    context = multiprocessing.get_context("spawn")
    for _ in tqdm(range(rounds), desc=f"rounds of {len(backends)} backends"):
        for backend in backends:
            # Not a Pool, whose processes may not start any of their own.
            with ProcessPoolExecutor(1, context) as pool:
                took[backend.name].append(pool.submit(_take, backend, folder, scratch, texts).result())
    exact = took[_EXACT][0].probabilities if _EXACT in took else None
    rows = []
    base = statistics.median(one.seconds for one in took[backends[0].name])
    for name, several in took.items():
        seconds, found = statistics.median(one.seconds for one in several), several[0].probabilities
        row = {"backend": name, "n": len(texts), "per second": round(len(texts) / seconds, 1)}
        row["the first is so many times as fast"] = round(seconds / base, 2)
        row["slowest round"] = round(len(texts) / max(one.seconds for one in several), 1)
        if exact is not None:
            row["labels as ours in fp32"] = round(float((found.argmax(axis=1) == exact.argmax(axis=1)).mean()), 5)
        if exact is not None and name.startswith("ours"):  # the others' probabilities are not calibrated
            row["largest difference"] = round(float(np.abs(found - exact).max()), 4)
        rows.append(row)
    return pd.DataFrame(rows)


def _take(backend: Backend, folder: Path, scratch: Path, texts: list[str]) -> Timing:
    label = backend.prepare(folder, scratch)
    label(texts[:_WARM_UP])
    start = time.perf_counter()
    probabilities = label(texts)
    return Timing(time.perf_counter() - start, probabilities)


def _with_long(texts: Sequence[str], count: int, random: np.random.Generator) -> list[str]:
    """The same, but so many of them of 512 tokens or a little more, anywhere among the others."""
    mixed = list(texts)
    for row in random.permutation(len(texts))[:count]:
        words: list[str] = []
        while len(words) < _LONG_TOKENS:  # a word is a token at least
            words += texts[int(random.integers(len(texts)))].split()
        mixed[row] = " ".join(words[:_LONG_TOKENS])
    return mixed


def _ours(folder: Path, _: Path) -> Label:
    return _labels_of(models.load(folder))


def _labels_of(classifier: Predictor) -> Label:
    return lambda texts: label_with_windows(classifier, texts)[list(PROBABILITY_COLUMNS)].to_numpy()


def _ours_in(precision: str, folder: Path, _: Path) -> Label:
    from claimkind.models.transformer.inference import TorchBackend

    classifier = models.load(folder)
    inner: Any = classifier.classifier if isinstance(classifier, CalibratedClassifier) else classifier
    inner.backend_ = TorchBackend(inner.model_, precision)
    return _labels_of(classifier)


def _pipeline(batch_size: int, folder: Path, _: Path) -> Label:
    import torch
    from transformers import pipeline

    label = pipeline(
        "text-classification", model=str(folder), device=0 if torch.cuda.is_available() else -1, dtype=torch.float32
    )

    def probabilities(texts: list[str]) -> np.ndarray:
        found: Any = label(texts, batch_size=batch_size, top_k=None, truncation=True)
        by_label = [{entry["label"]: entry["score"] for entry in row} for row in found]
        return np.array([[row[name] for name in LABELS] for row in by_label])

    return probabilities


def _in_batches(folder: Path, run: Callable[[dict[str, np.ndarray]], np.ndarray]) -> Label:
    """The loop that one finds in tutorials: batches of 32 in the order given, padded to the longest in each."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)

    def probabilities(texts: list[str]) -> np.ndarray:
        logits = []
        for start in range(0, len(texts), _BATCH):
            batch = tokenizer(
                texts[start : start + _BATCH], padding=True, truncation=True,
                return_tensors="np", return_token_type_ids=False,
            )  # fmt: skip
            logits.append(run({name: values.astype(np.int64) for name, values in batch.items()}))
        values = np.exp(np.concatenate(logits))
        return np.asarray(values / values.sum(axis=1, keepdims=True))

    return probabilities


def _onnx_int8(folder: Path, scratch: Path) -> Label:
    import onnxruntime

    session = onnxruntime.InferenceSession(scratch / "int8.onnx", providers=["CPUExecutionProvider"])
    return _in_batches(folder, lambda batch: session.run(None, batch)[0])


def _openvino(folder: Path, scratch: Path) -> Label:
    import openvino

    compiled = openvino.Core().compile_model(str(scratch / "fp32.onnx"), "CPU")
    return _in_batches(folder, lambda batch: compiled([batch["input_ids"], batch["attention_mask"]])[0])


_BACKENDS = {
    "ours": Backend("ours", _ours, ()),
    "fp32": Backend(_EXACT, functools.partial(_ours_in, "fp32"), ()),
    "bf16": Backend("ours in bf16", functools.partial(_ours_in, "bf16"), ()),
    "pipeline_32": Backend("pipeline, batches of 32", functools.partial(_pipeline, _BATCH), ()),
    "pipeline_1": Backend("pipeline, one by one", functools.partial(_pipeline, 1), ()),
    "onnx_int8": Backend("ONNX Runtime, int8", _onnx_int8, _EXPORTED_BY),
    "openvino": Backend("OpenVINO", _openvino, (*_EXPORTED_BY, "openvino")),
}


def _export(folder: Path, scratch: Path) -> None:
    """The model in ONNX, in fp32 and quantised to int8."""
    import onnx
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True, dtype=torch.float32)

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model.eval()

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
            return logits

    sizes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens", max=_LONG_TOKENS)}
    example = torch.ones((2, 16), dtype=torch.int64)
    mask = example.clone()
    mask[0, 8:] = 0  # of a mask that hides nothing, the export would leave no trace
    with contextlib.redirect_stdout(None):
        torch.onnx.export(
            Logits(), (example, mask), scratch / "fp32.onnx", input_names=["input_ids", "attention_mask"],
            output_names=["logits"], dynamo=True, dynamic_shapes=(sizes, sizes), opset_version=18, external_data=False,
        )  # fmt: skip
    shaped = onnx.load(scratch / "fp32.onnx")
    del shaped.graph.value_info[:]  # the quantiser infers the shapes anew, and stops where these differ
    onnx.save(shaped, scratch / "shaped.onnx")
    quantize_dynamic(scratch / "shaped.onnx", scratch / "int8.onnx", weight_type=QuantType.QInt8, per_channel=True)


def _by_engine(folder: Path, scratch: Path) -> Label:
    """The engine as `scripts/score.py` runs it, reading and writing included; its processes start within the time."""
    from claimkind.config import ScoreConfig
    from claimkind.scoring import engine

    def probabilities(texts: list[str]) -> np.ndarray:
        with tempfile.TemporaryDirectory() as place, contextlib.redirect_stdout(None):
            source, output = Path(place) / "in.parquet", Path(place) / "out.parquet"
            pd.DataFrame({"text": texts}).to_parquet(source)
            engine.run(ScoreConfig(input=str(source), output=str(output), model_uri=str(folder)))
            return pd.read_parquet(output)[list(PROBABILITY_COLUMNS)].to_numpy()

    return probabilities


def _by_predict_proba(folder: Path, scratch: Path) -> Label:
    classifier = models.load(folder)
    return classifier.predict_proba


def _by_scikit_learn(folder: Path, scratch: Path) -> Label:
    """The same TF-IDF model as scikit-learn's own vectorisers and regression compute it."""
    classifier: Any = models.load(folder)
    inner: Any = classifier.classifier if isinstance(classifier, CalibratedClassifier) else classifier
    return lambda texts: in_label_order(inner.regression_, inner.features_.by_vectorisers(texts))


def _by_fasttext(_: Path, dataset: Path) -> Label:
    train = load_dataset(dataset.parent, dataset.name).splits["train"].to_pandas()
    train = train[train["label"].notna()]
    peer: Any = FastText(epochs=5)
    peer.fit(train["text"].tolist(), [LABELS[int(label)] for label in train["label"]], None)
    return lambda texts: np.eye(len(LABELS))[peer.predict(texts)]


def _ceilings(folder: Path, table: pd.DataFrame, texts: Sequence[str]) -> pd.DataFrame:
    """What the machine multiplies at best in the shapes of the model, and the share of it that we reach.

    Only multiplications that the sentences need are counted: of their own tokens, none of padding.
    """
    import torch
    from transformers import AutoTokenizer

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    encoded = tokenizer(list(texts), truncation=True)["input_ids"]
    lengths = np.array([len(ids) for ids in encoded])
    hidden, inner, layers = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]
    work = 2 * layers * ((4 * hidden**2 + 2 * hidden * inner) * lengths.sum() + 2 * hidden * (lengths**2).sum())
    rate = float(table["per second"].iloc[0]) / len(texts) * work / 1e9
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows = []
    for dtype in (torch.bfloat16, torch.float32):
        ceiling = _matrix_rate(hidden, inner, dtype, device)
        rows.append(
            {"multiplied in": str(dtype).removeprefix("torch."), "GFLOP/s at best": round(ceiling),
             "GFLOP/s of ours": round(rate), "share": round(rate / ceiling, 3)}
        )  # fmt: skip
    return pd.DataFrame(rows)


def _matrix_rate(hidden: int, inner: int, dtype: Any, device: str, rows: int = 2048, seconds: float = 2.0) -> float:
    import torch

    values = torch.randn(rows, hidden, device=device).to(dtype)
    weight = torch.randn(inner, hidden, device=device).to(dtype)
    for _ in _for_seconds(seconds / 4):
        torch.nn.functional.linear(values, weight)
    _wait(device)
    start, count = time.perf_counter(), 0
    for _ in _for_seconds(seconds):
        torch.nn.functional.linear(values, weight)
        count += 1
    _wait(device)
    return 2.0 * rows * hidden * inner * count / (time.perf_counter() - start) / 1e9


def _for_seconds(seconds: float) -> Iterator[None]:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        yield


def _wait(device: str) -> None:
    import torch

    if device == "cuda":
        torch.cuda.synchronize()
