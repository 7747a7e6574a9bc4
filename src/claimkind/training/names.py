"""Names of runs, from what differs from the defaults: `minilm · bundled · epochs=5 · seed 0`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import hydra
from omegaconf import MISSING

from claimkind.command import defaults_of
from claimkind.config import TrainConfig, signature_schema
from claimkind.tracking import SEPARATOR

_LEFT_OUT = ("model._target_", "model.seed")
_MOST_SETTINGS = 5
_MOST_CHARACTERS = 24


def run_name(config: TrainConfig, names: Sequence[str]) -> str:
    """The name of a training: its model, its dataset, the settings that differ from the defaults, and its seed.

    Args:
        config: of the training.
        names: of the settings, besides those of the model, by which trainings differ.
    """
    model, changes = _described(config, names)
    return SEPARATOR.join([model, config.dataset.name, *changes, f"seed {config.seed}"])


def model_name(config: TrainConfig, names: Sequence[str]) -> str:
    """The name of a model: as `run_name`, without the dataset and the seed."""
    model, changes = _described(config, names)
    return SEPARATOR.join([model, *changes])


def settings_in_words(settings: Mapping[str, Any]) -> list[str]:
    """Settings by dotted key as parts of a name, such as `C=1`; the last part of a key stands for it."""
    shown = [f"{key.rpartition('.')[2]}={_value(value)}" for key, value in settings.items()]
    return shown if len(shown) <= _MOST_SETTINGS else [*shown[:_MOST_SETTINGS], f"{len(shown) - _MOST_SETTINGS} more"]


def _described(config: TrainConfig, names: Sequence[str]) -> tuple[str, list[str]]:
    """The name of the model, and the settings that differ from its defaults."""
    known = defaults_of("model")
    settings = _flat(asdict(config), names)
    if known is None:
        model = _family(config.model)
        defaults = _flat({**asdict(TrainConfig()), "model": _of_class(config.model)}, names)
        settings.pop("model.encoder", None)
    else:
        model, defaults = known[0], _flat(known[1], names)
    changed = {key: value for key, value in settings.items() if value != defaults.get(key)}
    return model, settings_in_words(changed)


def _flat(settings: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    of_model = {f"model.{name}": value for name, value in settings["model"].items()}
    found = of_model | {name: settings[name] for name in names}
    return {key: value for key, value in found.items() if key not in _LEFT_OUT}


def _of_class(model: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults of the class of a model."""
    schema: Any = signature_schema(hydra.utils.get_class(str(model["_target_"])))
    return {entry.name: entry.default for entry in fields(schema) if entry.default is not MISSING}


def _family(model: Mapping[str, Any]) -> str:
    encoder = str(model.get("encoder", "")).rstrip("/").rpartition("/")[2]
    return encoder or str(model["_target_"]).split(".")[-2]


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        text = ",".join(f"{key}:{_value(entry)}" for key, entry in value.items())
    elif isinstance(value, list):
        text = ",".join(map(_value, value))
    else:
        text = "none" if value is None else str(value).rstrip("/").rpartition("/")[2]
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"
