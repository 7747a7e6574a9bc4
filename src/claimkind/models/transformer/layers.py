"""The layers of an encoder: their numbers, and a copy of an encoder that multiplies in bf16."""

import copy
import re

import torch


def computes_bf16(precision: str = "auto") -> bool:
    """Whether a precision setting means bf16 on this machine.

    Args:
        precision: `bf16`, `fp32`, or `auto`, which is bf16 where the GPU or the processor has instructions for it.
    """
    if precision != "auto":
        return precision == "bf16"
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def layer_of(parameter: str) -> int | None:
    """Number of a parameter's layer by its name: embeddings 0, the first layer 1, …; None above the layers."""
    layer = re.search(r"\.layers?\.(\d+)\.", parameter)
    if layer:
        return int(layer[1]) + 1
    return 0 if "embeddings" in parameter else None


class _Bf16Linear(torch.nn.Module):
    """A linear layer in bf16 between fp32 activations, so that the residual stream is not rounded."""

    def __init__(self, layer: torch.nn.Linear, *, returns_bf16: bool) -> None:
        super().__init__()
        bias = None if layer.bias is None else layer.bias.bfloat16()
        self.weight = torch.nn.Parameter(layer.weight.bfloat16(), requires_grad=False)
        self.bias = None if bias is None else torch.nn.Parameter(bias, requires_grad=False)
        # Where the result only passes through an activation function into the next linear layer, that would round it.
        self.returns_bf16 = returns_bf16

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Multiply."""
        result = torch.nn.functional.linear(values.bfloat16(), self.weight, self.bias)
        return result if self.returns_bf16 else result.float()


def with_bf16_layers(model: torch.nn.Module) -> torch.nn.Module:
    """A copy of a model for prediction whose encoder layers multiply in bf16; embeddings and head stay in fp32."""
    rounded = copy.deepcopy(model)
    layers = [
        (name, module)
        for name, module in rounded.named_modules()
        if isinstance(module, torch.nn.Linear) and layer_of(f"{name}.")
    ]
    for name, layer in layers:
        parent, _, own = name.rpartition(".")
        setattr(rounded.get_submodule(parent), own, _Bf16Linear(layer, returns_bf16="intermediate" in name))
    return rounded
