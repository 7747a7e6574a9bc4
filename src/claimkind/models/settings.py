"""Settings of a model family: a frozen dataclass, checked when it is made and saved whole with the model."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from claimkind.errors import ClaimkindError

SETTINGS = "settings.json"

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
            raise ClaimkindError(f"model.{name}={value}, expected {expected}: correct it")


def save_settings(settings: Any, folder: Path) -> None:
    """Write a settings dataclass to `settings.json` in a folder."""
    (folder / SETTINGS).write_text(json.dumps(asdict(settings), indent=2) + "\n", encoding="utf-8")


def load_settings(folder: Path, schema: type[Settings]) -> Settings:
    """Read the settings that `save_settings` wrote.

    Raises:
        ClaimkindError: the file is missing, is no JSON, or does not have the fields of `schema`.
    """
    path = folder / SETTINGS
    try:
        return schema(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise ClaimkindError(f"{path} is missing or damaged, expected the model's settings: train it again") from None
