"""How a model computes its predictions here: the runtime and the number format."""

import os
from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from claimkind.errors import ClaimkindError
from claimkind.models.base import Predictor

BACKENDS = ("auto", "torch", "openvino")
PRECISIONS = ("auto", "fp32", "bf16", "int8")
BACKEND_VARIABLE, PRECISION_VARIABLE = "CLAIMKIND_BACKEND", "CLAIMKIND_PRECISION"
"""Environment variables that replace `auto`, for serving, Spark and Python."""


class Inference(NamedTuple):
    """The runtime and the number format of prediction; see `InferenceConfig`."""

    backend: str = "auto"
    precision: str = "auto"

    def resolved(self) -> "Inference":
        """The same, with the values of the environment variables in place of `auto`.

        Raises:
            ClaimkindError: a value is unknown.
        """
        return Inference(
            _resolved("inference.backend", self.backend, BACKEND_VARIABLE, BACKENDS),
            _resolved("inference.precision", self.precision, PRECISION_VARIABLE, PRECISIONS),
        )


@runtime_checkable
class ChoosesBackend(Protocol):
    """A classifier that several runtimes can compute."""

    def set_inference(self, inference: Inference) -> None:
        """Choose the runtime and the number format of the predictions that follow.

        Raises:
            ClaimkindError: the runtime is not installed, or this machine or model does not have the number format.
        """
        ...


@runtime_checkable
class Quantizable(ChoosesBackend, Protocol):
    """A classifier that can be quantised to int8."""

    def check_int8(self) -> None:
        """Check whether it can be quantised here, before it is fitted perhaps.

        Raises:
            ClaimkindError: a package is not installed, or the processor has no instructions for int8.
        """
        ...

    def quantized(self, texts: Sequence[str]) -> Predictor:
        """The same model with a version in int8, which it computes by default.

        Args:
            texts: sentences of the training, from which the ranges of the activations are measured.

        Raises:
            ClaimkindError: see `check_int8`.
        """
        ...


def _resolved(key: str, value: str, variable: str, known: tuple[str, ...]) -> str:
    source = key
    if value == "auto" and os.environ.get(variable):
        source, value = variable, os.environ[variable]
    if value not in known:
        raise ClaimkindError(f"{source}={value} is unknown, expected one of {', '.join(known)}")
    return value
