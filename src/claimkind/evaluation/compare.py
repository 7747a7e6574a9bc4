"""Comparison of runs: a table, a verdict on every pair, a plot, and the promotion of the best."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from claimkind import tracking
from claimkind.config import CompareConfig
from claimkind.errors import ClaimkindError
from claimkind.evaluation import plots
from claimkind.evaluation.promotion import Target, check_target, count_trials, promote
from claimkind.evaluation.selection import Configuration, Query, fetch_predictions, group_by_configuration, select_runs
from claimkind.labels import LABELS
from claimkind.metrics.bootstrap import Estimate, check_samples
from claimkind.metrics.scores import macro_f1, overall
from claimkind.metrics.significance import Difference, Sentences, bootstrap_scores, compare_all

_MOST_VERDICTS = 30  # more than people read, or than fit on the page of an MLflow run


class Comparison(NamedTuple):
    """The result of a comparison."""

    title: str
    configurations: list[Configuration]
    """Best on validation first."""
    scores: dict[str, dict[str, Estimate]]
    """By configuration every metric on the test split, averaged over the seeds."""
    table: pd.DataFrame
    """One row a configuration."""
    differences: list[Difference]
    """Every pair, on the test split."""
    promotion: str = ""
    """What the promotion did, if one was wanted."""

    @property
    def verdicts(self) -> list[str]:
        """The verdict on every pair; if there are many, on the best configuration and each of the others."""
        shown = self.differences
        if len(shown) > _MOST_VERDICTS:
            best = self.configurations[0].name
            shown = [difference for difference in shown if best in (difference.first, difference.second)]
        return [difference.verdict() for difference in shown]

    def text(self) -> str:
        """The title, the table, the verdicts and what the promotion did."""
        promotion = [self.promotion] if self.promotion else []
        return "\n".join([self.title, self.table.to_string(index=False), "\n".join(self.verdicts), *promotion])


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
    _log(comparison, config.experiment_name)
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
    sentences, predicted = fetch_predictions(configurations, "test")
    scores = bootstrap_scores(predicted, sentences, samples=samples)
    first = runs.iloc[0]
    return Comparison(
        f"dataset {first['tags.dataset']}, fingerprint {first['tags.dataset_fingerprint']}, test split",
        configurations,
        scores,
        _table(configurations, scores, {name: _seed_scores(rows, sentences) for name, rows in predicted.items()}),
        compare_all(predicted, sentences, samples=samples),
    )


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
                "validation macro F1": f"{validation:.3f}" if validation >= 0 else "",
                "macro F1": str(found["macro_f1"]),
                "± seeds": f"{of_seeds.std(ddof=1):.3f}" if len(of_seeds) > 1 else "",
                **{display_name: str(score) for display_name, score in overall(found).items()},
                **{f"F1 {label}": f"{found[f'f1_{label}'].value:.3f}" for label in LABELS},
            }
        )
    return pd.DataFrame(rows)


def _log(comparison: Comparison, experiment_name: str) -> None:
    """Log a comparison as a run of its own."""
    title, macro = comparison.title, {name: found["macro_f1"] for name, found in comparison.scores.items()}
    with tracking.start_run(experiment_name, "comparison", {"kind": "comparison"}) as tracked:
        tracked.log_table(comparison.table, "comparison/table.parquet")
        tracked.log_table(_differences(comparison.differences), "comparison/differences.parquet")
        tracked.log_figure(plots.plot_estimates(macro, f"macro F1, {title}"), "comparison/macro_f1.png")
        links = [
            f"- {name}: " + ", ".join(f"[{run_id[:8]}]({tracked.link(run_id)})" for run_id in runs["run_id"])
            for name, runs in comparison.configurations
        ]
        verdicts = [f"- {verdict}" for verdict in comparison.verdicts]
        tracked.describe("\n".join([f"**{title}**", "", *links, "", *verdicts]))


def _differences(differences: Sequence[Difference]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "first": d.first, "second": d.second, "difference": d.macro_f1.value, "low": d.macro_f1.low,
            "high": d.macro_f1.high, "p": d.p, "p_holm": d.p_holm, "p_mcnemar": d.p_mcnemar, "verdict": d.verdict(),
        }
        for d in differences
    )  # fmt: skip
