"""The choice of the runtime that computes a fine-tuned encoder."""

import logging
from pathlib import Path
from typing import Any, NamedTuple

import torch

from claimkind.errors import ClaimkindError, first_line
from claimkind.models.inference import Inference
from claimkind.models.transformer import openvino
from claimkind.models.transformer.inference import Backend
from claimkind.models.transformer.layers import computes_bf16
from claimkind.models.transformer.pytorch import TorchBackend

_LOGGER = logging.getLogger(__name__)


class Encoder(NamedTuple):
    """A fine-tuned encoder in memory, and where it came from."""

    model: Any
    """Of transformers, in fp32."""
    manifest: Path | None = None
    """Of the folder that it was loaded from; None if it was not saved."""


def check_inference(inference: Inference) -> None:
    """Refuse a runtime or a number format that is not there.

    Raises:
        ClaimkindError: OpenVINO is not installed, or the model has no version in int8.
    """
    if inference.backend == "openvino" and not openvino.is_installed():
        raise ClaimkindError(
            "inference.backend=openvino, but OpenVINO is not installed: pip install 'claimkind[openvino]'"
        )
    if inference.precision == "int8":
        raise ClaimkindError("inference.precision=int8, but the model was not quantised: leave it out")


def choose_backend(encoder: Encoder, inference: Inference) -> Backend:
    """The backend that computes an encoder.

    Without a choice it is PyTorch on a GPU, and else OpenVINO where it is installed and can convert the encoder.

    Args:
        encoder: the encoder.
        inference: with the precision of the training in place of `auto`.
    """
    original = TorchBackend(encoder.model, inference.precision)
    if inference.backend == "torch" or (inference.backend == "auto" and not _openvino_is_better()):
        return original
    precision = "bf16" if computes_bf16(inference.precision, on_gpu=False) else "fp32"
    try:
        graph = openvino.converted(*encoder)
        return openvino.OpenVinoBackend(graph, precision, original)
    except Exception as error:  # of the tracer, the converter and the compiler, which have no common class
        if inference.backend == "openvino":
            raise ClaimkindError(
                f"OpenVINO cannot convert the model ({first_line(error)}): take inference.backend=torch"
            ) from error
        _LOGGER.warning("OpenVINO cannot convert the model, so PyTorch computes it (%s)", first_line(error))
        return original


def _openvino_is_better() -> bool:
    return not torch.cuda.is_available() and openvino.is_installed()
