"""The machine and the libraries that a speed was measured with."""

import logging
import os
import platform
from importlib import metadata

import torch

_LOGGER = logging.getLogger(__name__)
_INSTRUCTIONS = ("avx2", "avx512_f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
_LIBRARIES = ("torch", "transformers", "openvino", "nncf", "onnxruntime")


def log_machine() -> None:
    """Log the processor, its instruction sets, the GPU if there is one, the load, and the versions of the libraries."""
    found = torch.cpu.get_capabilities()
    sets = [name for name in _INSTRUCTIONS if found.get(name)]
    name = found.get("cpu_name") or platform.processor() or platform.machine()
    _LOGGER.info("%s, %d cores: %s", name, os.cpu_count(), ", ".join(sets) or "no known instruction sets")
    if torch.cuda.is_available():
        _LOGGER.info("%s", torch.cuda.get_device_name())
    _LOGGER.info("load average %.1f", os.getloadavg()[0])
    _LOGGER.info("%s", ", ".join(_versions()))


def _versions() -> list[str]:
    installed = {package.metadata["Name"].lower(): package.version for package in metadata.distributions()}
    return [f"{name} {installed[name]}" for name in _LIBRARIES if name in installed]
