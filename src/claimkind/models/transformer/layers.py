"""The layers of an encoder, and the number formats that this machine multiplies."""

import contextlib
import functools
import re
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from claimkind.errors import ClaimkindError


def computes_bf16(precision: str = "auto", *, on_gpu: bool | None = None) -> bool:
    """Whether a precision setting means bf16 on this machine.

    Args:
        precision: `bf16`, `fp32`, or `auto`, which is bf16 where the GPU or the processor has instructions for it.
        on_gpu: whether the GPU computes; None: if there is one.
    """
    if precision != "auto":
        return precision == "bf16"
    if torch.cuda.is_available() if on_gpu is None else on_gpu:
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def computes_int8() -> bool:
    """Whether the processor has instructions for products of int8 numbers: VNNI or AMX-INT8.

    Without them such products are not faster, and some processors saturate the sums.
    """
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("amx_int8", "avx512_vnni", "avx_vnni"))


def layer_of(parameter: str) -> int | None:
    """Number of a parameter's layer by its name: embeddings 0, the first layer 1, …; None above the layers."""
    layer = re.search(r"\.layers?\.(\d+)\.", parameter)
    if layer:
        return int(layer[1]) + 1
    return 0 if "embeddings" in parameter else None


def keep_layers(model: Any, kept: Sequence[int]) -> None:
    """Remove all other layers from an encoder.

    Args:
        model: of transformers, which is changed.
        kept: numbers of layers, from 0, in ascending order.

    Raises:
        ClaimkindError: the encoder has no layer of such a number.
    """
    count = model.config.num_hidden_layers
    if max(kept) >= count:
        raise ClaimkindError(
            f"model.keep_layers names layer {max(kept)}, expected 0 to {count - 1}, the encoder's layers"
        )
    name, layers = _layers_of(model)
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, torch.nn.ModuleList(layers[number] for number in kept))
    model.config.num_hidden_layers = len(kept)
    kinds = vars(model.config).get("layer_types")
    if kinds:  # such as which layers attend to a window only
        model.config.layer_types = [kinds[number] for number in kept]


@contextlib.contextmanager
def recomputed_layers(model: Any) -> Iterator[None]:
    """Let the backward pass compute the outputs of each layer again, within the block, instead of keeping them.

    Gradient checkpointing (Chen et al. 2016) for any encoder; transformers has it for some.

    Args:
        model: of transformers.
    """
    _, layers = _layers_of(model)
    for layer in layers:
        layer.forward = functools.partial(checkpoint, layer.forward, use_reentrant=False)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward  # that of the class remains


def _layers_of(model: Any) -> tuple[str, torch.nn.ModuleList]:
    """The layers of an encoder, and their name in the model.

    Raises:
        ClaimkindError: the model has no list of layers, or several.
    """
    count = model.config.num_hidden_layers
    found = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.ModuleList) and len(module) == count and layer_of(f".{name}.0.") == 1
    ]
    if len(found) != 1:
        raise ClaimkindError(
            f"{type(model).__name__} has {len(found)} lists of {count} layers, expected one: leave model.keep_layers "
            "and model.gradient_checkpointing out"
        )
    return found[0]
