"""Runs side by side: a table, a verdict on every pair, a picture, and the promotion of the better one."""

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from claimkind import tracking
from claimkind.config import CompareConfig
from claimkind.errors import ClaimkindError
from claimkind.evaluation import plots
from claimkind.labels import LABELS, PROBABILITY_COLUMNS, label_indices
from claimkind.metrics.bootstrap import Estimate, check_samples
from claimkind.metrics.scores import confusion_matrix, scores_of
from claimkind.metrics.significance import Difference, Sentences, bootstrap_scores, compare_all

_SEED_PARAMS = {"params.seed", "params.model.seed"}
_SETTINGS_SHOWN = 3
_VERDICTS = 30  # more would not be read, nor fit on the page of an MLflow run


class Configuration(NamedTuple):
    """Runs that differ in their seed only."""

    name: str
    runs: pd.DataFrame


class Comparison(NamedTuple):
    """What a comparison found."""

    table: pd.DataFrame
    """One row a configuration, best on validation first."""
    differences: list[Difference]
    """Every pair, on the test split."""


def run(config: CompareConfig) -> Comparison:
    """Compare runs by what they predicted; see `configs/compare.yaml`.

    Trainings are compared, the newest of each configuration and seed; runs of `scripts/evaluate.py` too where they are
    named. The table, the picture and the verdicts become an MLflow run that links the runs. With `promote`, the alias
    moves to the configuration that is best on validation (the test split must not choose, or its figures would flatter
    the chosen one), unless the model that has the alias now is as good as that.

    Raises:
        ClaimkindError: there are no such runs, or they were not measured on the same data.
    """
    check_samples(config.bootstrap_samples)
    if config.promote:
        _check_names(config)
    runs = _select(config)
    configurations = _configurations(runs)
    sentences, predicted = _predictions(configurations, "test")
    estimates = bootstrap_scores(predicted, sentences, samples=config.bootstrap_samples)
    differences = compare_all(predicted, sentences, samples=config.bootstrap_samples)
    table = _table(configurations, sentences, predicted, estimates)
    title = (
        f"dataset {runs['tags.dataset'].iloc[0]}, fingerprint {runs['tags.dataset_fingerprint'].iloc[0]}, test split"
    )
    print(f"{title}\n{table.to_string(index=False)}")  # noqa: T201
    said = _worth_saying(differences, configurations[0].name)
    print("\n".join(said))  # noqa: T201
    _log(config, configurations, Comparison(table, differences), estimates, title, said)
    if config.promote:
        _promote(configurations[0], len(runs) + _trials(config, runs), config)
    return Comparison(table, differences)


def _check_names(config: CompareConfig) -> None:
    """Refuse what MLflow takes for no name, before a model is registered that nothing points at."""
    for key, allowed in (
        ("registered_name", r"(?!\.{1,2}$)[^/:]*[^/:\s][^/:]*"),
        ("alias", r"(?!(latest|v\d+)$)[\w-]{1,255}"),
    ):
        if not re.fullmatch(allowed, getattr(config, key), re.IGNORECASE):
            raise ClaimkindError(
                f"{key}={getattr(config, key)!r} is no name that MLflow takes, expected one like claimkind or champion"
            )


def _trials(config: CompareConfig, runs: pd.DataFrame) -> int:
    """How many trials of searches on the same data there were, out of which settings were chosen."""
    fingerprint = runs["tags.dataset_fingerprint"].iloc[0]
    return len(
        tracking.find_runs(
            config.experiment_name, f"tags.kind = 'trial' and params.dataset_fingerprint = '{fingerprint}'"
        )
    )


def _select(config: CompareConfig) -> pd.DataFrame:
    """The runs that were named, else the trainings on the newest build; the newest of each configuration and seed."""
    runs = tracking.find_runs(config.experiment_name, f"tags.dataset = '{config.dataset_name}'")
    # What scripts/evaluate.py found of a model is no training.
    trained = runs[runs["tags.kind"].isna()] if "tags.kind" in runs and not config.runs else runs
    if trained.empty:
        raise ClaimkindError(
            f"experiment {config.experiment_name!r} has no finished run on dataset {config.dataset_name!r}, "
            "expected one at least: train with scripts/train.py"
        )
    if config.runs:
        return _named(trained, config)
    return _on_newest_build(trained).drop_duplicates(_params(trained))


def _named(runs: pd.DataFrame, config: CompareConfig) -> pd.DataFrame:
    """The runs of these ids, and those of these names on the newest build on which there are some."""
    names = runs["tags.mlflow.runName"]
    chosen: set[str] = set()
    for name in config.runs:
        found = runs[(runs["run_id"] == name) | (names == name)]
        if found.empty:
            raise ClaimkindError(
                f"runs names {name!r}, which is no finished run on dataset {config.dataset_name!r} in experiment "
                f"{config.experiment_name!r}, expected ids or names out of: {', '.join(dict.fromkeys(names))}; give "
                "dataset_name or experiment_name if it is of another"
            )
        chosen |= set(_on_newest_build(found)["run_id"])
    together = runs[runs["run_id"].isin(chosen)]
    if together["tags.dataset_fingerprint"].nunique() > 1:
        raise ClaimkindError(
            "the runs were measured on different builds of the dataset, expected one: train those on the older anew"
        )
    if "tags.kind" in together:  # of a model's training and its evaluation the training, which has validation too
        together = together.sort_values("tags.kind", na_position="first", kind="stable")
    distinct = together.drop_duplicates(_params(together))
    for run_id in together["run_id"][~together["run_id"].isin(distinct["run_id"])]:
        print(f"run {run_id} has the settings and the seed of another one, and is left out")  # noqa: T201
    return distinct


def _on_newest_build(runs: pd.DataFrame) -> pd.DataFrame:
    return runs[runs["tags.dataset_fingerprint"] == runs["tags.dataset_fingerprint"].iloc[0]]


def _params(runs: pd.DataFrame) -> list[str]:
    return sorted(str(column) for column in runs.columns if str(column).startswith("params."))


def _settings(runs: pd.DataFrame) -> list[str]:
    """The parameters that make a configuration: all but the seed."""
    return [column for column in _params(runs) if column not in _SEED_PARAMS]


def _configurations(runs: pd.DataFrame) -> list[Configuration]:
    """Runs grouped by everything but the seed, the best on validation first."""
    settings = _settings(runs)
    filled = runs.fillna(dict.fromkeys(settings, ""))
    groups = [group for _, group in filled.groupby(settings, sort=False)] if settings else [runs]
    found = [Configuration(name, group) for name, group in zip(_names(groups), groups, strict=True)]
    return sorted(found, key=lambda configuration: -_validation(configuration))


def _names(groups: list[pd.DataFrame]) -> list[str]:
    """The runs' names without the seed at their end, and where these are the same, what else tells them apart."""
    names = [re.sub(r"[-_]?seed\d+$", "", str(group["tags.mlflow.runName"].iloc[0])) for group in groups]
    alike = {name: [group for group, own in zip(groups, names, strict=True) if own == name] for name in names}
    return [
        name if len(alike[name]) == 1 else f"{name} ({_told_apart(group, alike[name])})"
        for group, name in zip(groups, names, strict=True)
    ]


def _told_apart(group: pd.DataFrame, others: list[pd.DataFrame]) -> str:
    """The settings in which configurations differ; where these are many, in which this one differs from most."""
    values = {column: [str(other[column].iloc[0]) for other in others] for column in _settings(group)}
    differing = [column for column, found in values.items() if len(set(found)) > 1]
    if len(differing) > _SETTINGS_SHOWN:
        usual = {column: max(values[column], key=values[column].count) for column in differing}
        differing = [column for column in differing if str(group[column].iloc[0]) != usual[column]]
    if not 0 < len(differing) <= _SETTINGS_SHOWN:
        return str(group["run_id"].iloc[0])[:8]
    return ", ".join(f"{column.removeprefix('params.')}={group[column].iloc[0] or 'unset'}" for column in differing)


def _validation(configuration: Configuration) -> float:
    """Mean macro F1 on validation; less than any where nothing was trained."""
    if "metrics.validation_macro_f1" not in configuration.runs:
        return -1.0
    return float(np.nan_to_num(configuration.runs["metrics.validation_macro_f1"].mean(), nan=-1))


def _predictions(configurations: list[Configuration], split: str) -> tuple[Sentences, dict[str, np.ndarray]]:
    """The sentences of a split, and what each configuration's seeds made of them: (seeds, n).

    Raises:
        ClaimkindError: two runs were asked different sentences.
    """
    tables = {
        run_id: tracking.fetch_table(run_id, f"predictions/{split}.parquet")
        for configuration in configurations
        for run_id in configuration.runs["run_id"]
    }
    first = next(iter(tables.values()))
    for run_id, table in tables.items():
        if not table[["id", "label"]].equals(first[["id", "label"]]):
            raise ClaimkindError(f"run {run_id} was measured on other sentences than the others: train it anew")
    answers = {run_id: table[list(PROBABILITY_COLUMNS)].to_numpy().argmax(axis=1) for run_id, table in tables.items()}
    predicted = {name: np.stack([answers[run_id] for run_id in runs["run_id"]]) for name, runs in configurations}
    return Sentences(label_indices(first["label"].tolist()), first["group"].to_numpy()), predicted


def _table(
    configurations: list[Configuration],
    sentences: Sentences,
    predicted: Mapping[str, np.ndarray],
    estimates: Mapping[str, Estimate],
) -> pd.DataFrame:
    rows = []
    for configuration in configurations:
        name, validation = configuration.name, _validation(configuration)
        scores = scores_of(np.stack([confusion_matrix(sentences.truth, seed) for seed in predicted[name]]))
        rows.append(
            {
                "configuration": name,
                "seeds": len(predicted[name]),
                "validation macro F1": f"{validation:.3f}" if validation >= 0 else "",
                "macro F1": str(estimates[name]),
                "± seeds": f"{scores['macro_f1'].std(ddof=1):.3f}" if len(predicted[name]) > 1 else "",
                "accuracy": f"{scores['accuracy'].mean():.3f}",
                **{f"F1 {label}": f"{scores[f'f1_{label}'].mean():.3f}" for label in LABELS},
            }
        )
    return pd.DataFrame(rows)


def _worth_saying(differences: list[Difference], best: str) -> list[str]:
    """The verdict on every pair, or where these are many, on the best configuration and each of the others."""
    if len(differences) <= _VERDICTS:
        return [difference.verdict() for difference in differences]
    return [difference.verdict() for difference in differences if best in (difference.first, difference.second)]


def _log(
    config: CompareConfig,
    configurations: list[Configuration],
    comparison: Comparison,
    estimates: Mapping[str, Estimate],
    title: str,
    said: list[str],
) -> None:
    """Log the comparison as a run of its own."""
    with tracking.start_run(config.experiment_name, "comparison", {"kind": "comparison"}) as tracked:
        tracked.log_table(comparison.table, "comparison/table.parquet")
        pairs = pd.DataFrame(
            {
                "first": d.first, "second": d.second, "difference": d.macro_f1.value, "low": d.macro_f1.low,
                "high": d.macro_f1.high, "p": d.p, "p_holm": d.p_holm, "p_mcnemar": d.p_mcnemar, "verdict": d.verdict(),
            }
            for d in comparison.differences
        )  # fmt: skip
        tracked.log_table(pairs, "comparison/differences.parquet")
        tracked.log_figure(plots.plot_estimates(estimates, f"macro F1, {title}"), "comparison/macro_f1.png")
        links = [
            f"- {name}: " + ", ".join(f"[{run_id[:8]}]({tracked.link(run_id)})" for run_id in runs["run_id"])
            for name, runs in configurations
        ]
        tracked.describe("\n".join([f"**{title}**", "", *links, "", *(f"- {verdict}" for verdict in said)]))


def _promote(best: Configuration, candidates: int, config: CompareConfig) -> None:
    """Let the alias point at the best configuration's best seed, if it beats the model that has the alias.

    The best of many runs is good by chance in part, so the comparison with the model that has the alias counts as one
    of as many as there are candidates.
    """
    if _validation(best) < 0:
        raise ClaimkindError("promote=true finds no training among the runs, expected one at least: name some in runs")
    trained = best.runs.dropna(subset="metrics.validation_macro_f1")
    chosen = trained.sort_values("metrics.validation_macro_f1").iloc[-1]
    champion = tracking.run_of_alias(config.registered_name, config.alias)
    if champion is None:
        verdict = f"{best.name} has the best macro F1 on validation, and no model has the alias yet"
    elif champion == chosen["run_id"]:
        print(f"{best.name} has the alias {config.alias} already")  # noqa: T201
        return
    elif tracking.run_tags(champion).get("dataset_fingerprint") != chosen["tags.dataset_fingerprint"]:
        print(  # noqa: T201
            f"the model that has the alias {config.alias} was measured on another build of its dataset, or its run was "
            "deleted, so nothing can be said: train it anew on this one, or take the alias from it in MLflow"
        )
        return
    else:
        difference = _against(champion, chosen, candidates, config)
        verdict = f"on validation, {difference.verdict()}"
        if not (difference.separable and difference.macro_f1.value > 0):
            print(f"{verdict}: the alias {config.alias} stays where it is")  # noqa: T201
            return
    version = tracking.register(chosen["run_id"], config.registered_name, config.alias)
    print(f"{verdict}: registered as {config.registered_name} version {version}, alias {config.alias}")  # noqa: T201


def _against(champion: str, chosen: pd.Series, candidates: int, config: CompareConfig) -> Difference:
    """The chosen run less the champion's, on validation."""
    ids = {"the new model": chosen["run_id"], "the old one": champion}
    pair = [Configuration(name, pd.DataFrame({"run_id": [run_id]})) for name, run_id in ids.items()]
    sentences, predicted = _predictions(pair, "validation")
    return compare_all(predicted, sentences, samples=config.bootstrap_samples, comparisons=candidates)[0]
