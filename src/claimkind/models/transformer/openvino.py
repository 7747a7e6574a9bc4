"""Predictions by OpenVINO on the CPU; needs the extra `openvino`."""

import contextlib
import functools
import importlib
import importlib.util
import logging
import os
import queue
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from claimkind.manifest import sha256_file
from claimkind.models.transformer.conversions import cached_conversion
from claimkind.models.transformer.encoders import quiet_transformers
from claimkind.models.transformer.inference import Backend
from claimkind.models.transformer.layers import computes_bf16
from claimkind.models.transformer.tokenization import Batch, WindowTokenizer

_LOGGER = logging.getLogger(__name__)
_HINT = "INFERENCE_PRECISION_HINT"
_PRECISIONS = {"f32": "fp32", "bf16": "bf16"}
"""Our names of OpenVINO's number formats."""


def is_installed() -> bool:
    """Whether OpenVINO is."""
    return importlib.util.find_spec("openvino") is not None


@contextlib.contextmanager
def without_telemetry() -> Iterator[None]:
    """OpenVINO and NNCF send usage data unless the user opted out in a file, or they are run by a CI service."""
    before = os.environ.get("CI")
    os.environ["CI"] = "true"
    try:
        yield
    finally:
        if before is None:
            del os.environ["CI"]
        else:
            os.environ["CI"] = before


def import_openvino() -> Any:
    """The module `openvino`, which would send usage data already when it is imported."""
    with without_telemetry():
        return importlib.import_module("openvino")


class OpenVinoBackend:
    """OpenVINO on the CPU. Each core computes batches of its own, so none waits for one that other work slows down."""

    tokens_per_batch = 1024

    def __init__(self, graph: Any, precision: str, original: Backend) -> None:
        """Compile a model.

        Args:
            graph: an `openvino.Model` that `convert` gave, or the path of one.
            precision: `fp32`; `bf16`, which OpenVINO takes where the processor has instructions for it; or `int8` for a
                graph of `quantize`, whose other products are in bf16 or fp32.
            original: computes the features of the same model, which the graph does not give.
        """
        compiled = compile_graph(graph, precision)
        found = precision if precision == "int8" else _PRECISIONS[compiled.get_property(_HINT).to_string()]
        self.compute_dtype = f"{found}, CPU, OpenVINO"
        self.feature_size = original.feature_size
        self.concurrent_batches = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._original = original
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(self.concurrent_batches):
            self._idle.put(compiled.create_infer_request())

    def logits(self, batch: Batch) -> np.ndarray:
        """See `Backend.logits`."""
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
        request = self._idle.get()
        try:
            return np.array(request.infer(inputs, share_inputs=True)["logits"])
        finally:
            self._idle.put(request)

    def features(self, batch: Batch) -> np.ndarray:
        """See `Backend.features`."""
        return self._original.features(batch)


def compile_graph(graph: Any, precision: str, performance: str = "THROUGHPUT") -> Any:
    """Compile a graph for the CPU, with as many threads as `OMP_NUM_THREADS` says, or one for each core.

    Args:
        graph: an `openvino.Model`, or the path of one.
        precision: see `OpenVinoBackend`.
        performance: OpenVINO's hint: `THROUGHPUT` for several batches at the same time, `LATENCY` for one.

    Returns:
        An `openvino.CompiledModel`.
    """
    rounded = precision == "bf16" or (precision == "int8" and computes_bf16(on_gpu=False))
    settings: dict[str, Any] = {_HINT: "bf16" if rounded else "f32", "PERFORMANCE_HINT": performance}
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isdecimal() and int(threads) > 0:
        settings["INFERENCE_NUM_THREADS"] = int(threads)
    return import_openvino().Core().compile_model(graph, "CPU", settings)


def convert(model: Any) -> Any:
    """The graph of a fine-tuned encoder: token ids and attention mask in, logits out, for any numbers of both.

    Args:
        model: of transformers, in fp32.

    Returns:
        An `openvino.Model`.
    """
    ids = torch.ones((2, 16), dtype=torch.int64)
    mask = ids.clone()
    mask[0, 8:] = 0  # a mask of ones would be left out of the graph
    with quiet_transformers(), without_telemetry(), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # about branches of the code that do not depend on the input here
        graph = import_openvino().convert_model(
            model.cpu().float().eval(), example_input={"input_ids": ids, "attention_mask": mask}
        )
    return graph


def quantize(model: Any, tokenizer: WindowTokenizer, texts: Sequence[str]) -> Any:
    """The graph of a model with weights and activations in int8, by static quantisation after training (NNCF).

    Args:
        model: of transformers, in fp32.
        tokenizer: its tokenizer.
        texts: sentences of its training, from which the ranges of the activations are measured.

    Returns:
        An `openvino.Model`.
    """
    with without_telemetry():  # NNCF decides about it when it is imported
        import nncf
    # Not by nncf.set_log_level, which changes handlers that others added too.
    logging.getLogger("nncf").setLevel(logging.ERROR)
    batches = [tokenizer.pad([ids]) for ids in tokenizer.truncate(texts)]
    graph = convert(model)
    with without_telemetry(), contextlib.redirect_stdout(sys.stderr):  # the progress bars
        return nncf.quantize(
            graph, nncf.Dataset(batches), model_type=nncf.ModelType.TRANSFORMER, subset_size=len(batches)
        )


def read_graph(path: Path) -> Any:
    """Read a graph that `save_graph` wrote."""
    return import_openvino().Core().read_model(path)


def save_graph(graph: Any, path: Path) -> None:
    """Write a graph to a file `.xml`, and its weights to one beside it that ends in `.bin`."""
    import_openvino().save_model(graph, path, compress_to_fp16=False)


def converted(model: Any, manifest: Path | None) -> Any:
    """The graph of a model, from the user's cache if it was converted before.

    Args:
        model: of transformers, in fp32.
        manifest: of the folder that the model was loaded from, whose digest is the key; None converts without cache.

    Returns:
        An `openvino.Model`, or its path.
    """
    if manifest is None or not manifest.is_file():
        return convert(model)
    key = f"{sha256_file(manifest)[:16]}-{import_openvino().__version__.split('-')[0]}"
    try:
        return cached_conversion(key, functools.partial(_convert_to, model))
    except OSError as error:
        _LOGGER.info("the model converted for OpenVINO is not kept (%s)", error)
        return convert(model)


def _convert_to(model: Any, path: Path) -> None:
    save_graph(convert(model), path)
