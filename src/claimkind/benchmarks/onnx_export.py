"""Exporting a transformer to ONNX, for runtimes that are compared with ours; needs the extra `bench`."""

import contextlib
from pathlib import Path
from typing import Any

FP32, INT8 = "fp32.onnx", "int8.onnx"
"""File names of the exported models."""
_MAX_TOKENS = 512


def export_onnx(folder: Path, output: Path) -> None:
    """Export the transformer in `folder` to `output`, in fp32 and quantised to int8."""
    import onnx
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic

    example = torch.ones((2, 16), dtype=torch.int64)
    mask = example.clone()
    mask[0, 8:] = 0  # a mask of ones would be optimised away by the export
    sizes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens", max=_MAX_TOKENS)}
    with contextlib.redirect_stdout(None):
        torch.onnx.export(
            _logits_module(folder), (example, mask), output / FP32, input_names=["input_ids", "attention_mask"],
            output_names=["logits"], dynamo=True, dynamic_shapes=(sizes, sizes), opset_version=18, external_data=False,
        )  # fmt: skip
    exported = onnx.load(output / FP32)
    del exported.graph.value_info[:]  # the quantiser infers the shapes again and stops where they differ
    onnx.save(exported, output / "without_shapes.onnx")
    quantize_dynamic(output / "without_shapes.onnx", output / INT8, weight_type=QuantType.QInt8, per_channel=True)


def _logits_module(folder: Path) -> Any:
    """The transformer as a module that takes token ids and an attention mask and returns logits."""
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=torch.float32
    )

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model.eval()

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
            return logits

    return Logits()
