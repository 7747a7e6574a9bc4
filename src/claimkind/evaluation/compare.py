"""Comparison of runs: a table, a verdict on every pair, a plot, and the promotion of the best."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from claimkind import tracking
from claimkind.config import CompareConfig
from claimkind.errors import ClaimkindError
from claimkind.evaluation.changes import Changes, changes_between
from claimkind.evaluation.comparison import Comparison
from claimkind.evaluation.comparison_run import log_comparison
from claimkind.evaluation.promotion import Target, check_target, count_trials, promote
from claimkind.evaluation.selection import Configuration, Query, fetch_predictions, group_by_configuration, select_runs
from claimkind.labels import LABELS
from claimkind.metrics.bootstrap import Estimate, check_samples
from claimkind.metrics.scores import macro_f1, overall
from claimkind.metrics.significance import Sentences, bootstrap_scores, compare_all


def run(config: CompareConfig) -> Comparison:
    """Compare runs by their predictions; see `configs/compare.yaml`.

    Compared are trainings, the newest of each configuration and seed, and runs of `scripts/evaluate.py` where they are
    named. The table, the plot and the verdicts become an MLflow run with links to the runs. With `promote`, the alias
    moves to the configuration that is best on validation, unless the model that has the alias now is as good: chosen on
    the test split, its test figures would be too high.

    Raises:
        ClaimkindError: there are no such runs, or they were not tested on the same data.
    """
    check_samples(config.bootstrap_samples)
    target = Target(config.registered_name, config.alias)
    if config.promote:
        check_target(target)
    runs = select_runs(Query(config.experiment_name, config.dataset.name), config.runs)
    comparison = compare_runs(runs, config.bootstrap_samples)
    comparison = comparison._replace(links=log_comparison(comparison, config.experiment_name))
    if not config.promote:
        return comparison
    candidates = len(runs) + count_trials(config.experiment_name, runs["tags.dataset_fingerprint"].iloc[0])
    try:
        best = comparison.configurations[0]
        done = promote(best, target, candidates=candidates, samples=config.bootstrap_samples)
    except ClaimkindError as error:
        error.result = comparison
        raise
    return comparison._replace(promotion=done)


def compare_runs(runs: pd.DataFrame, samples: int) -> Comparison:
    """Compare runs on the test split.

    Args:
        runs: as `select_runs` returns them.
        samples: number of bootstrap samples.
    """
    configurations = group_by_configuration(runs)
    sentences, predicted, rows = fetch_predictions(configurations, "test")
    scores = bootstrap_scores(predicted, sentences, samples=samples)
    name, fingerprint = runs.iloc[0][["tags.dataset", "tags.dataset_fingerprint"]]
    columns = [column for column in ("id", "text", "label") if column in rows]
    return Comparison(
        f"dataset {name}, fingerprint {fingerprint}, test split",
        tracking.Split(name, "test", f"{name}/test.parquet", fingerprint),
        rows[columns],
        configurations,
        scores,
        _table(configurations, scores, {name: _seed_scores(rows, sentences) for name, rows in predicted.items()}),
        compare_all(predicted, sentences, samples=samples),
        _changes(configurations, predicted, rows),
    )


def _changes(
    configurations: Sequence[Configuration], predicted: Mapping[str, np.ndarray], rows: pd.DataFrame
) -> Changes | None:
    """What changes from the second best configuration to the best, by the mean of the seeds' probabilities."""
    if len(configurations) < 2:
        return None
    new, old = ((entry.name, predicted[entry.name].mean(axis=0)) for entry in configurations[:2])
    return changes_between(rows, new, old)


def _seed_scores(probabilities: np.ndarray, sentences: Sentences) -> np.ndarray:
    """Macro F1 of each seed, (seeds,), from probabilities, (seeds, n, 3)."""
    return np.array([macro_f1(sentences.truth, of_seed.argmax(axis=1)) for of_seed in probabilities])


def _table(
    configurations: Sequence[Configuration],
    scores: Mapping[str, Mapping[str, Estimate]],
    seed_scores: Mapping[str, np.ndarray],
) -> pd.DataFrame:
    rows = []
    for configuration in configurations:
        name, validation = configuration.name, configuration.validation
        found, of_seeds = scores[name], seed_scores[name]
        rows.append(
            {
                "configuration": name,
                "seeds": len(of_seeds),
                "validation macro F1": "" if validation is None else f"{validation:.3f}",
                "macro F1": str(found["macro_f1"]),
                "± seeds": f"{of_seeds.std(ddof=1):.3f}" if len(of_seeds) > 1 else "",
                **{display_name: str(score) for display_name, score in overall(found).items()},
                **{f"F1 {label}": f"{found[f'f1_{label}'].value:.3f}" for label in LABELS},
            }
        )
    return pd.DataFrame(rows)
