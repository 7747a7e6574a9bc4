"""The registered models: a list with their scores, the details of one, and the alias that scoring uses."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from claimkind import tracking
from claimkind.config import ModelsConfig
from claimkind.errors import ClaimkindError
from claimkind.evaluation.promotion import Target, check_target
from claimkind.labels import LABELS
from claimkind.tracking import Version

_SHOWN_METRICS = ("macro_f1", "accuracy", *(f"f1_{label}" for label in LABELS), "ece")


class ModelList(NamedTuple):
    """The versions of a registered model, and perhaps the details of one of them."""

    name: str
    versions: Sequence[Version]
    chosen: Version | None = None
    done: str = ""
    """What was changed, in one sentence; empty if nothing."""

    @property
    def table(self) -> pd.DataFrame:
        """One row a version, the newest first."""
        return pd.DataFrame([_row(version) for version in self.versions])

    def text(self) -> str:
        """The change, the details of the chosen version, or the list."""
        if self.done:
            return self.done
        if self.chosen:
            return "\n".join(_details(self.name, self.chosen))
        example = f"python scripts/models.py show={self.versions[0].number}"
        return f"{self.table.to_string(index=False)}\ndetails: {example}"


def run(config: ModelsConfig) -> ModelList:
    """List registered models, show one, or move the alias; see `configs/models.yaml`.

    Raises:
        ClaimkindError: no model is registered, there is no such version, or MLflow does not take the alias.
    """
    if config.show and config.champion:
        raise ClaimkindError("show and champion are two commands, expected one: leave one of them out")
    check_target(Target(config.registered_name, config.alias))
    versions = tracking.list_versions(config.registered_name)
    if config.champion:
        chosen = _find(versions, config.champion, "champion")
        with tracking.alias_lock(config.registered_name, config.alias):  # a promotion may be under way
            tracking.set_alias(config.registered_name, config.alias, chosen.number)
        done = f"models:/{config.registered_name}@{config.alias} is version {chosen.number} now: {chosen.run}"
        return ModelList(config.registered_name, versions, chosen, done)
    chosen_or_none = _find(versions, config.show, "show") if config.show else None
    return ModelList(config.registered_name, versions, chosen_or_none)


def _find(versions: Sequence[Version], wanted: str, key: str) -> Version:
    """The version with a number or an alias."""
    for version in versions:
        if wanted == str(version.number) or wanted in version.aliases:
            return version
    known = [str(version.number) for version in versions] + [alias for version in versions for alias in version.aliases]
    raise ClaimkindError(
        f"{key}={wanted} is no version, expected one of {', '.join(known) or 'none: register a model'}"
    )


def _row(version: Version) -> dict[str, object]:
    return {
        "version": version.number,
        "alias": ", ".join(version.aliases),
        "model": version.run or "its run was deleted",
        "dataset": version.params.get("dataset", ""),
        "validation macro F1": _figure(version, "validation/macro_f1"),
        "test macro F1": _interval(version, "test/macro_f1"),
        "registered": version.registered,
    }


def _figure(version: Version, metric: str) -> str:
    return f"{version.metrics[metric]:.3f}" if metric in version.metrics else ""


def _interval(version: Version, metric: str) -> str:
    bounds = [_figure(version, f"{metric}_{bound}") for bound in ("low", "high")]
    return f"{_figure(version, metric)} [{', '.join(bounds)}]" if all(bounds) else _figure(version, metric)


def _details(name: str, version: Version) -> list[str]:
    scores = {metric: _interval(version, f"test/{metric}") for metric in _SHOWN_METRICS}
    settings = {key: value for key, value in version.params.items() if key.startswith("model.")}
    lines = {
        "model": f"models:/{name}/{version.number}, {version.model_uri}",
        "alias": ", ".join(version.aliases) or "none",
        "registered": version.registered,
        "run": " ".join(filter(None, [version.run, tracking.hint(version.page) if version.page else ""])),
        "dataset": " ".join(filter(None, [version.params.get("dataset"), version.params.get("dataset_fingerprint")])),
        **{f"test {metric}": score for metric, score in scores.items() if score},
        "settings": " ".join(f"{key}={value}" for key, value in settings.items() if key != "model._target_"),
        "trained by": version.tags.get("command", ""),
        "promoted": _first_paragraph(version.description),
    }
    width = max(map(len, lines))
    return [f"{key:{width}}  {value}" for key, value in lines.items() if value]


def _first_paragraph(markdown: str) -> str:
    return re.sub(r"[*`]", "", markdown.partition("\n\n")[0])
