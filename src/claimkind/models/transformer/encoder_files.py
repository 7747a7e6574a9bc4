"""The files of an encoder, checked before transformers reads them: no code that they name is ever run."""

import contextlib
import dataclasses
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import AutoModelForSequenceClassification, PretrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES

from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS
from claimkind.manifest import MANIFEST, listed_files, read_json
from claimkind.models.transformer.layers import layer_of

CONFIG, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS = (
    "config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors",
)  # fmt: skip
PATTERNS = ("*.json", "*.txt", "*.model", "*.safetensors")
"""Names of the files of an encoder. No others are read."""
_VOCABULARIES = (TOKENIZER, "vocab.txt", "vocab.json", "*.model")
_MOST_BYTES = {CONFIG: 1 << 20, TOKENIZER_CONFIG: 1 << 26, TOKENIZER: 1 << 28}
_NAMING_CODE = ("auto_map", "custom_pipelines", "quantization_config")
_ATTENTION = ("_attn_implementation", "attn_implementation", "_attn_implementation_internal")
_KNOWN_ATTENTION = (None, "eager", "sdpa")  # others can name a kernel on the hub, which is code
# Names that settings had in earlier versions of transformers, which it still translates.
_EARLIER_NAMES = (
    "torch_dtype", "rope_theta", "rope_scaling", "partial_rotary_factor", "global_rope_theta", "local_rope_theta",
    "global_attn_every_n_layers", "pooler_hidden_size",
)  # fmt: skip
_HEAD_NUMBERS = 1 << 24  # parameters that a new classification head may add to those of the file


def paths_of(folder: Path) -> list[Path]:
    """The files of an encoder: those that the manifest lists if there is one, else those named as `PATTERNS` say."""
    if (folder / MANIFEST).is_file():
        found = [folder / name for name in listed_files(folder) if "/" not in name]
    else:
        found = [path for path in sorted(folder.iterdir()) if path.is_file()]
    return [path for path in found if any(path.match(pattern) for pattern in PATTERNS)]


@contextlib.contextmanager
def with_nothing_else(paths: Sequence[Path]) -> Iterator[Path]:
    """Give a folder that holds the given files alone, as links, for the time of the block.

    transformers reads further files where it finds them, such as `added_tokens.json`, which change the predictions.
    """
    with tempfile.TemporaryDirectory(prefix="claimkind-") as folder:
        for path in paths:
            (Path(folder) / path.name).symlink_to(path.resolve())
        yield Path(folder)


def read_config(folder: Path, paths: Sequence[Path]) -> PretrainedConfig:
    """Read the configuration of an encoder with a classification head for our labels; see `check_files`.

    Raises:
        ClaimkindError: it is not there, names code, or is of no encoder that transformers can classify with.
        ValueError, TypeError: transformers does not take a value in it.
    """
    settings = _settings(folder, paths, CONFIG)
    _check_names_no_code(settings, folder / CONFIG)
    kind = settings.get("model_type")
    if not isinstance(kind, str) or kind not in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES:
        raise ClaimkindError(
            f"{folder / CONFIG} has the model_type {kind!r}, which transformers cannot classify with: choose another "
            "encoder"
        )
    if settings.get("is_encoder_decoder") or CONFIG_MAPPING[kind].is_encoder_decoder:
        raise ClaimkindError(f"{folder / CONFIG} is of an encoder with a decoder ({kind}): choose one without")
    names = dict(enumerate(LABELS))
    labels = {"id2label": names, "label2id": {label: index for index, label in names.items()}}
    config = CONFIG_MAPPING[kind](**{**_known(settings, CONFIG_MAPPING[kind]), **labels})
    _check_sizes(config, folder, paths)
    return config


def check_files(folder: Path, paths: Sequence[Path]) -> None:
    """Check the files of an encoder besides its configuration.

    Raises:
        ClaimkindError: there is no tokenizer, a file is too large to be what its name says, or one names code.
    """
    if not any(path.match(pattern) for path in paths for pattern in _VOCABULARIES):
        raise ClaimkindError(f"{folder} has no {TOKENIZER}, expected the encoder's tokenizer: save or fetch it again")
    for path in paths:
        if path.stat().st_size > _MOST_BYTES.get(path.name, math.inf):
            raise ClaimkindError(f"{path} is larger than {_MOST_BYTES[path.name]:,} bytes: fetch the encoder again")
    if folder / TOKENIZER_CONFIG in paths:
        _check_names_no_code(_settings(folder, paths, TOKENIZER_CONFIG), folder / TOKENIZER_CONFIG)


def _settings(folder: Path, paths: Sequence[Path], name: str) -> Mapping[str, Any]:
    if folder / name not in paths:
        raise ClaimkindError(f"{folder} has no {name}, expected an encoder that transformers saved: choose another")
    try:
        return dict(read_json(folder / name, _MOST_BYTES[name]))
    except (OSError, ValueError, TypeError) as error:
        raise ClaimkindError(f"{folder / name} is damaged ({error}): fetch the encoder again") from None


def _check_names_no_code(settings: Mapping[str, Any], path: Path) -> None:
    for name in _NAMING_CODE:
        if settings.get(name):
            raise ClaimkindError(
                f"{path} has {name}, which needs code from elsewhere, and no such code is run: choose another encoder"
            )
    for name in _ATTENTION:
        if settings.get(name) not in _KNOWN_ATTENTION:
            raise ClaimkindError(
                f"{path} has {name}={settings[name]!r}, expected eager or sdpa, since others can be code from "
                "elsewhere: remove it"
            )


def _known(settings: Mapping[str, Any], schema: type[PretrainedConfig]) -> dict[str, Any]:
    """The settings that a class of configurations has."""
    names = {field.name for field in dataclasses.fields(schema)} | set(schema.attribute_map) | set(_EARLIER_NAMES)
    return {name: value for name, value in settings.items() if name in names}


def _check_sizes(config: PretrainedConfig, folder: Path, paths: Sequence[Path]) -> None:
    """Refuse a configuration of a larger model than the weights are of: it could need any amount of memory."""
    names, numbers = _contents(paths)
    layers = max((layer_of(name) or 0 for name in names), default=0)
    if layers and config.num_hidden_layers > layers:
        raise ClaimkindError(
            f"{folder / CONFIG} says {config.num_hidden_layers} layers, but the weights are of {layers}: fetch the "
            "model again"
        )
    with torch.device("meta"):  # shapes without memory
        model = AutoModelForSequenceClassification.from_config(config, trust_remote_code=False)
    needed = sum(tensor.numel() for tensors in (model.parameters(), model.buffers()) for tensor in tensors)
    if needed > numbers + _HEAD_NUMBERS:
        raise ClaimkindError(
            f"{folder / CONFIG} describes {needed:,} parameters, but the weights hold {numbers:,}: fetch it again"
        )


def _contents(paths: Sequence[Path]) -> tuple[list[str], int]:
    """The names of all weights, and how many numbers they are."""
    names, numbers = [], 0
    for path in paths:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as weights:
                names += weights.keys()
                numbers += sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
    return names, numbers
