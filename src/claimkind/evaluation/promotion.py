"""Promotion: the alias of a registered model moves to a better one."""

import re
from typing import NamedTuple

import pandas as pd

from claimkind import tracking
from claimkind.errors import ClaimkindError
from claimkind.evaluation.selection import VALIDATION, Configuration, fetch_predictions
from claimkind.metrics.significance import Difference, compare_all

_NAME_PATTERNS = {
    "registered_name": r"(?!\.{1,2}$)[^/:]*[^/:\s][^/:]*",
    "alias": r"(?!(latest|v\d+)$)[\w-]{1,255}",
}


class Target(NamedTuple):
    """The alias of a registered model that may move."""

    registered_name: str
    alias: str


def check_target(target: Target) -> None:
    """Refuse names that MLflow does not take, before a model is registered to which no alias can point.

    Raises:
        ClaimkindError: one of the names is invalid.
    """
    for key, name in target._asdict().items():
        if not re.fullmatch(_NAME_PATTERNS[key], name, re.IGNORECASE):
            raise ClaimkindError(
                f"{key}={name!r} is no name that MLflow takes, expected one like claimkind or champion"
            )


def count_trials(experiment_name: str, fingerprint: str) -> int:
    """The number of trials of hyperparameter searches on a build of a dataset, given by its fingerprint."""
    condition = f"tags.kind = 'trial' and params.dataset_fingerprint = '{fingerprint}'"
    return len(tracking.find_runs(experiment_name, condition))


def promote(best: Configuration, target: Target, *, candidates: int, samples: int) -> str:
    """Move an alias to the best seed of a configuration, if it is better on validation than the model that has it.

    Of two promotions at the same time on one machine, the second one compares with the result of the first.

    The best of many runs is good by chance in part. The comparison with the model that has the alias is therefore
    corrected for as many comparisons as there were candidates.

    Args:
        best: the configuration that is best on validation.
        target: the alias.
        candidates: number of runs that `best` was chosen from.
        samples: number of bootstrap samples.

    Returns:
        What was done and why, in one sentence.

    Raises:
        ClaimkindError: the configuration has no training.
    """
    with tracking.alias_lock(*target):
        return _promote(best, target, candidates, samples)


def _promote(best: Configuration, target: Target, candidates: int, samples: int) -> str:
    if best.validation is None:
        raise ClaimkindError("promote=true finds no training among the runs, expected at least one: name some in runs")
    trained = best.runs.dropna(subset=VALIDATION)
    chosen = trained.sort_values(VALIDATION).iloc[-1]
    champion = tracking.run_of_alias(*target)
    if champion is None:
        return _register(
            chosen, target, f"{best.name} has the best macro F1 on validation, and no model has the alias yet"
        )
    if champion == chosen["run_id"]:
        return f"{best.name} has the alias {target.alias} already"
    if tracking.run_tags(champion).get("dataset_fingerprint") != chosen["tags.dataset_fingerprint"]:
        return (
            f"the model that has the alias {target.alias} was measured on another build of its dataset, or its run was "
            "deleted, so the two cannot be compared: train it again on this one, or remove its alias in MLflow"
        )
    difference = _against(champion, chosen, candidates, samples)
    verdict = f"on validation, {difference.verdict()}"
    if difference.separable and difference.macro_f1.value > 0:
        return _register(chosen, target, verdict)
    return f"{verdict}: the alias {target.alias} stays where it is"


def _register(run: pd.Series, target: Target, reason: str) -> str:
    version = tracking.register(run["run_id"], *target, reason)
    return f"{reason}: registered as {target.registered_name} version {version}, alias {target.alias}"


def _against(champion: str, chosen: pd.Series, candidates: int, samples: int) -> Difference:
    """The difference on validation between the chosen run and the run of the champion."""
    ids = {"the new model": chosen["run_id"], "the old one": champion}
    pair = [Configuration(name, pd.DataFrame({"run_id": [run_id]})) for name, run_id in ids.items()]
    sentences, predicted, _ = fetch_predictions(pair, "validation")
    return compare_all(predicted, sentences, samples=samples, comparisons=candidates)[0]
