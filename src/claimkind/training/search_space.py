"""The space of a search: the settings that are searched, each with its range or its choices."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import hydra
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from claimkind.config import TrainConfig, build, explain, nearest, signature_schema
from claimkind.errors import ClaimkindError
from claimkind.training.plan import TRAINING_PARAMS

if TYPE_CHECKING:
    import optuna

_SEARCHABLE = ("model", "seed", *TRAINING_PARAMS)
_FORMS = "{low, high}, {low, high, log: true} or {choices: […]}"


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included."""

    low: float
    high: float
    log: bool
    """Whether to search on a log scale."""
    whole: bool
    """Whether to search whole numbers only."""

    @property
    def examples(self) -> Sequence[Any]:
        """The values at the ends of the space."""
        return self.low, self.high

    def suggest(self, trial: "optuna.Trial", key: str) -> float:
        """The value that Optuna suggests."""
        if self.whole:
            return trial.suggest_int(key, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(key, self.low, self.high, log=self.log)


@dataclass(frozen=True)
class Choices:
    """A list of values."""

    values: Sequence[Any]

    @property
    def examples(self) -> Sequence[Any]:
        """All values."""
        return self.values

    def suggest(self, trial: "optuna.Trial", key: str) -> Any:
        """The value that Optuna suggests."""
        return trial.suggest_categorical(key, self.values)


Space = Mapping[str, Range | Choices]
"""By dotted key of a setting, such as `model.C`, the values to search."""


def parse_space(search: Mapping[str, Any], training: Mapping[str, Any]) -> Space:
    """Check the space of a search.

    Args:
        search: as in `configs/search/`: by dotted key `{low, high}`, `{low, high, log}` or `{choices}`.
        training: the settings of a training by name, of which the search replaces some.

    Raises:
        ClaimkindError: a key is no setting of a training, a range is malformed, or a model cannot be built with one of
            the choices or the ends of a range.
    """
    if not search:
        raise ClaimkindError("search is empty, expected settings to try: give search=tfidf, for example")
    space = {key: _parse(key, where) for key, where in search.items()}
    _check_models(space, training)
    return {key: _with_fractions(key, where, training["model"]) for key, where in space.items()}


def first_values(space: Space) -> dict[str, Any]:
    """One point of the space."""
    return {key: where.examples[0] for key, where in space.items()}


def suggest(trial: "optuna.Trial", space: Space, study: str) -> dict[str, Any]:
    """The point of the space that a trial suggests.

    Raises:
        ClaimkindError: the study of this name searched another space before.
    """
    suggested = {}
    for key, where in space.items():
        try:
            suggested[key] = where.suggest(trial, key)
        except ValueError as error:
            raise ClaimkindError(
                f"search.{key} differs from what the study {study} searched before ({error}): give another study_name"
            ) from None
    return suggested


def with_values(training: Mapping[str, Any], values: Mapping[str, Any]) -> TrainConfig:
    """The configuration of a training with some of its settings replaced.

    Args:
        training: the settings of a training by name.
        values: by dotted key.

    Raises:
        ClaimkindError: a value has the wrong type.
    """
    if "seed" in values and "seed" in training["model"]:  # in the YAML files it is taken from the key `seed`
        values = {"model.seed": values["seed"], **values}
    try:
        settings = OmegaConf.create(dict(training))
        for key, value in values.items():
            OmegaConf.update(settings, key, value)
        checked: Any = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(TrainConfig), settings))
    except OmegaConfBaseException as error:
        raise ClaimkindError(explain(error, TrainConfig, prefix="search.")) from None
    return checked


def _parse(key: str, where: Any) -> Range | Choices:
    top = key.split(".")[0]
    if top not in _SEARCHABLE:
        raise ClaimkindError(f"search has the unknown setting {key}; {nearest(top, _SEARCHABLE)}")
    if not isinstance(where, Mapping) or set(where) not in ({"low", "high"}, {"low", "high", "log"}, {"choices"}):
        raise ClaimkindError(f"search.{key} is {where}, expected {_FORMS}")
    if "choices" in where:
        return _parse_choices(key, where["choices"])
    return _parse_range(key, where)


def _parse_choices(key: str, values: Any) -> Choices:
    if not isinstance(values, list) or not values:
        raise ClaimkindError(f"search.{key} has no choices, expected a list of some")
    return Choices(values)


def _parse_range(key: str, where: Mapping[str, Any]) -> Range:
    low, high, log = where["low"], where["high"], where.get("log", False)
    if not (_is_number(low) and _is_number(high) and low <= high):
        raise ClaimkindError(f"search.{key} goes from {low} to {high}, expected numbers, the lower one first")
    if not isinstance(log, bool):
        raise ClaimkindError(f"search.{key}.log={log}, expected true or false")
    if log and low <= 0:
        raise ClaimkindError(f"search.{key} goes from {low} on a log scale, expected a number above 0")
    return Range(low, high, log, whole=isinstance(low, int) and isinstance(high, int))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _with_fractions(key: str, where: Range | Choices, model: Mapping[str, Any]) -> Range | Choices:
    """Search fractions too where a setting is a float, although both ends of its range are whole numbers."""
    top, _, name = key.partition(".")
    schema = signature_schema(hydra.utils.get_class(str(model["_target_"]))) if top == "model" else TrainConfig
    types = {entry.name: str(entry.type) for entry in fields(schema)}
    is_float = "float" in types.get(name or top, "")
    return replace(where, whole=False) if isinstance(where, Range) and is_float else where


def _check_models(space: Space, training: Mapping[str, Any]) -> None:
    """Build a model with each choice and each end of a range, so that errors appear before the first trial."""
    first = first_values(space)
    for key, where in space.items():
        for value in where.examples:
            build(with_values(training, {**first, key: value}).model, "model", "claimkind.models")
