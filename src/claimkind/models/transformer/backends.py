"""The choice of the runtime that computes a fine-tuned encoder."""

import logging
from pathlib import Path
from typing import Any, NamedTuple

import torch

from claimkind.errors import ClaimkindError, first_line
from claimkind.models.inference import Inference
from claimkind.models.transformer import openvino
from claimkind.models.transformer.inference import Backend
from claimkind.models.transformer.layers import computes_bf16, computes_int8
from claimkind.models.transformer.pytorch import TorchBackend

_LOGGER = logging.getLogger(__name__)


class Encoder(NamedTuple):
    """A fine-tuned encoder in memory, and where it came from."""

    model: Any
    """Of transformers, in fp32."""
    manifest: Path | None = None
    """Of the folder that it was loaded from; None if it was not saved."""
    int8: Any = None
    """The graph of its version in int8, if it has one; see `openvino.quantize`."""


def check_inference(inference: Inference, *, has_int8: bool) -> None:
    """Refuse a runtime or a number format that is not there.

    Args:
        inference: what was asked for.
        has_int8: whether the model has a version in int8.

    Raises:
        ClaimkindError: OpenVINO is not installed, or the model or this machine does not compute in int8.
    """
    if inference.backend == "openvino":
        check_installed()
    if inference.precision == "int8":
        if not has_int8:
            raise ClaimkindError(
                "inference.precision=int8, but the model has no version in int8: make one with scripts/quantize.py"
            )
        check_int8()
        if inference.backend == "torch":
            raise ClaimkindError("PyTorch does not compute models in int8: take inference.backend=openvino")


def check_installed() -> None:
    """Refuse to go on without OpenVINO.

    Raises:
        ClaimkindError: it is not installed.
    """
    if not openvino.is_installed():
        raise ClaimkindError(
            "OpenVINO is not installed, expected the extra openvino: pip install 'claimkind[openvino]'"
        )


def check_int8() -> None:
    """Refuse int8 where it would be slower than bf16 or fp32.

    Raises:
        ClaimkindError: the processor has no instructions for it, or OpenVINO is not installed.
    """
    check_installed()
    if not computes_int8():
        raise ClaimkindError(
            "this processor has no instructions for int8, expected VNNI or AMX-INT8: take inference.precision=auto, or "
            "another machine"
        )


def choose_backend(encoder: Encoder, inference: Inference, trained_in: str) -> Backend:
    """The backend that computes an encoder.

    Without a choice it is PyTorch on a GPU, and else OpenVINO where it is installed and can convert the encoder; in
    int8 where the model has such a version and the processor instructions for it.

    Args:
        encoder: the encoder.
        inference: the choice.
        trained_in: the precision that stands in for `auto`.
    """
    if _takes_int8(encoder, inference):
        return openvino.OpenVinoBackend(encoder.int8, "int8", TorchBackend(encoder.model, trained_in))
    precision = trained_in if inference.precision == "auto" else inference.precision
    original = TorchBackend(encoder.model, precision)
    if inference.backend == "torch" or (inference.backend == "auto" and not _openvino_is_better()):
        return original
    try:
        graph = openvino.converted(encoder.model, encoder.manifest)
        cpu_precision = "bf16" if computes_bf16(precision, on_gpu=False) else "fp32"
        return openvino.OpenVinoBackend(graph, cpu_precision, original)
    except Exception as error:  # of the tracer, the converter and the compiler, which have no common class
        if inference.backend == "openvino":
            raise ClaimkindError(
                f"OpenVINO cannot convert the model ({first_line(error)}): take inference.backend=torch"
            ) from error
        _LOGGER.warning("OpenVINO cannot convert the model, so PyTorch computes it (%s)", first_line(error))
        return original


def _takes_int8(encoder: Encoder, inference: Inference) -> bool:
    if inference.precision == "int8":
        return True
    allowed = inference.precision == "auto" and inference.backend != "torch"
    asked = inference.backend == "openvino" or _openvino_is_better()
    return encoder.int8 is not None and allowed and asked and computes_int8()


def _openvino_is_better() -> bool:
    return not torch.cuda.is_available() and openvino.is_installed()
