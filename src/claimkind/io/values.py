"""Values of a cell as text, for formats that have no type for them."""

import base64
import json
from collections.abc import Iterable
from typing import Any

import pandas as pd


def as_json(value: Any) -> str:
    """A value as JSON: bytes in base 64, dates in ISO 8601, and null for numbers that JSON does not have."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
    except ValueError:
        known = json.loads(json.dumps(value, default=_plain), parse_constant=lambda _: None)
        return json.dumps(known, ensure_ascii=False)


def as_text(value: Any) -> str | None:
    """A value as text: lists and objects as JSON, bytes in base 64; None where there is no value."""
    if isinstance(value, bytes):
        return str(_plain(value))
    if isinstance(value, dict | list):
        return as_json(value)
    return None if value is None or value != value else str(value)


def kinds_as_text(values: pd.Series, kinds: tuple[type, ...]) -> pd.Series:
    """A column with its values of some types as text, and the others as they are."""
    if values.dtype != object or not any(isinstance(value, kinds) for value in values):
        return values
    return values.map(lambda value: as_text(value) if isinstance(value, kinds) else value)


def all_as_text(values: Iterable[Any]) -> list[str | None]:
    """All values of a column as text."""
    return [as_text(value) for value in values]


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
