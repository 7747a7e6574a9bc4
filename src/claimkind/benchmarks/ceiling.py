"""How many floating-point operations a machine can do at best, and how many a transformer reaches."""

import json
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from claimkind.models.transformer.openvino import import_openvino, is_installed

_LOGGER = logging.getLogger(__name__)


def log_ceiling(folder: Path, texts: Sequence[str], texts_per_second: float) -> None:
    """Log for bf16, fp32 and int8 the best rate of matrix products, and the rate at which a model labelled texts.

    Args:
        folder: of the saved transformer, which determines the shapes of the products.
        texts: n sentences that were labelled.
        texts_per_second: the speed at which they were.
    """
    import torch

    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    reached = texts_per_second / len(texts) * _operations(settings, _token_counts(folder, texts)) / 1e9
    hidden, inner = settings["hidden_size"], settings["intermediate_size"]
    rates = {str(dtype): _matrix_rate(hidden, inner, dtype, device) for dtype in (torch.bfloat16, torch.float32)}
    if device == "cpu" and is_installed():
        rates["int8"] = _int8_rate(hidden, inner)
    for name, best in rates.items():
        _LOGGER.info("%s on %s: at best %.0f GFLOP/s, the first backend reached %.0f (%.1f%%)",
                     name.removeprefix("torch."), device, best, reached, 100 * reached / best)  # fmt: skip


def _token_counts(folder: Path, texts: Sequence[str]) -> np.ndarray:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return np.array([len(ids) for ids in tokenizer(list(texts), truncation=True)["input_ids"]])


def _operations(settings: dict[str, Any], tokens: np.ndarray) -> float:
    """Floating-point operations of the matrix products of a BERT for texts of these numbers of tokens, no padding."""
    hidden, inner = settings["hidden_size"], settings["intermediate_size"]
    products_of_weights = (4 * hidden**2 + 2 * hidden * inner) * tokens.sum()
    products_in_attention = 2 * hidden * (tokens**2).sum()
    return float(2 * settings["num_hidden_layers"] * (products_of_weights + products_in_attention))


def _matrix_rate(hidden: int, inner: int, dtype: Any, device: str) -> float:
    """Billions of floating-point operations a second in products of the shapes of a feed-forward layer."""
    import torch

    rows, seconds = 2048, 2.0
    values = torch.randn(rows, hidden, device=device).to(dtype)
    weight = torch.randn(inner, hidden, device=device).to(dtype)
    for _ in _repeat_for(seconds / 4):  # warm up
        torch.nn.functional.linear(values, weight)
    _synchronize(device)
    start, count = time.perf_counter(), 0
    for _ in _repeat_for(seconds):
        torch.nn.functional.linear(values, weight)
        count += 1
    _synchronize(device)
    return 2.0 * rows * hidden * inner * count / (time.perf_counter() - start) / 1e9


def _int8_rate(hidden: int, inner: int) -> float:
    """As `_matrix_rate`, in int8 by OpenVINO on the CPU: products of fp32 numbers that are rounded to 256 values."""
    openvino = import_openvino()
    ops = openvino.opset13
    rows, seconds, count = 2048, 2.0, 0
    values = ops.parameter([rows, hidden], np.float32)
    result, size = values, hidden
    for following in (inner, hidden) * 4:  # a chain, so that most inputs are in int8 already
        weight = np.random.default_rng(0).standard_normal((following, size), dtype=np.float32)
        result = ops.matmul(_rounded(ops, result), _rounded(ops, ops.constant(weight)), False, True)
        size = following
    compiled = openvino.Core().compile_model(openvino.Model([result], [values]), "CPU")
    given = np.random.default_rng(1).standard_normal((rows, hidden), dtype=np.float32)
    compiled([given])
    start = time.perf_counter()
    for _ in _repeat_for(seconds):
        compiled([given])
        count += 1
    return 2.0 * rows * hidden * inner * 8 * count / (time.perf_counter() - start) / 1e9


def _rounded(ops: Any, values: Any) -> Any:
    low, high = (ops.constant(np.array(bound, dtype=np.float32)) for bound in (-4.0, 4.0 * 127 / 128))
    return ops.fake_quantize(values, low, high, low, high, 256)


def _repeat_for(seconds: float) -> Iterator[None]:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        yield


def _synchronize(device: str) -> None:
    import torch

    if device == "cuda":
        torch.cuda.synchronize()
