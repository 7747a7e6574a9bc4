"""Settings of a model family: a frozen dataclass, checked when it is made and saved whole with the model."""

import json
from dataclasses import asdict
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

from claimkind.errors import ClaimkindError
from claimkind.manifest import read_json

SETTINGS = "settings.json"
_MOST_BYTES = 1 << 20
_JSON_TYPES: dict[type, tuple[type, ...]] = {bool: (bool,), int: (int,), float: (int, float), str: (str,)}

Settings = TypeVar("Settings")


def check_ranges(settings: object, **ranges: tuple[float, float]) -> None:
    """Refuse settings that are out of range.

    Args:
        settings: a dataclass.
        ranges: by name of a field, the smallest and the largest value allowed.

    Raises:
        ClaimkindError: a value is outside its range.
    """
    for name, (low, high) in ranges.items():
        value = vars(settings)[name]
        if not low <= value <= high:
            expected = f"at least {low:g}" if high == np.inf else f"{low:g} to {high:g}"
            raise ClaimkindError(f"model.{name}={value}, expected {expected}")


def save_settings(settings: Any, folder: Path) -> None:
    """Write a settings dataclass to `settings.json` in a folder."""
    (folder / SETTINGS).write_text(json.dumps(asdict(settings), indent=2) + "\n", encoding="utf-8")


def load_settings(folder: Path, schema: type[Settings]) -> Settings:
    """Read the settings that `save_settings` wrote.

    Raises:
        ClaimkindError: the file is missing, is no JSON, or does not have the fields of `schema` with their types.
    """
    path = folder / SETTINGS
    try:
        values = read_json(path, _MOST_BYTES)
        _check_types(schema, values)
        return schema(**values)
    except (OSError, ValueError, TypeError):
        raise ClaimkindError(f"{path} is missing or damaged, expected the model's settings: train it again") from None


def _check_types(schema: Any, values: dict[str, Any]) -> None:
    """Check the values of fields whose type is a simple one, such as `int`, `str | None` or `list[int] | None`."""
    for name, kind in get_type_hints(schema).items():
        expected = _JSON_TYPES.get(kind, _members(kind) if isinstance(kind, UnionType) else ())
        if name in values and expected and type(values[name]) not in expected:
            raise TypeError(f"{name} is {values[name]!r}")


def _members(union: UnionType) -> tuple[type, ...]:
    return tuple(get_origin(member) or member for member in get_args(union))
