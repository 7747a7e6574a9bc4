"""The layers of an encoder, and whether they multiply in bf16."""

import re

import torch


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


def layer_of(parameter: str) -> int | None:
    """Number of a parameter's layer by its name: embeddings 0, the first layer 1, …; None above the layers."""
    layer = re.search(r"\.layers?\.(\d+)\.", parameter)
    if layer:
        return int(layer[1]) + 1
    return 0 if "embeddings" in parameter else None
