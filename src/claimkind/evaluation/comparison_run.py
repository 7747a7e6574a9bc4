"""What a comparison logs into its MLflow run."""

from collections.abc import Sequence

import pandas as pd

from claimkind import tracking
from claimkind.evaluation import description, plots
from claimkind.evaluation.changes import GAINED, LOST, Changes
from claimkind.evaluation.comparison import Comparison
from claimkind.metrics.bootstrap import with_bounds
from claimkind.metrics.significance import Difference


def log_comparison(comparison: Comparison, experiment_name: str) -> tuple[str, ...]:
    """Log a comparison as a run of its own, and link the compared runs to it.

    Returns:
        The addresses of the run and of the view of all comparisons.
    """
    dataset = comparison.dataset
    tags = {"kind": "comparison", "dataset": dataset.dataset, "dataset_fingerprint": dataset.digest}
    with tracking.start_run(experiment_name, name_of(comparison), tags) as tracked:
        tracked.log_dataset(comparison.rows, dataset)
        tracked.log_table(comparison.table, "comparison/table.csv")
        tracked.log_table(_differences(comparison.differences), "comparison/differences.csv")
        macro = {name: found["macro_f1"] for name, found in comparison.scores.items()}
        tracked.log_figure(plots.plot_estimates(macro, f"macro F1, {comparison.title}"), "comparison/macro_f1.png")
        if comparison.changes:
            tracked.log_metrics(_metrics(comparison.differences[0], comparison.changes), split=dataset.name)
            tracked.log_table(comparison.changes.rows, "changes/sentences.csv")
            tracked.log_table(comparison.changes.counts, "changes/counts.csv")
        tracked.describe(_description(comparison, tracked))
    for configuration in comparison.configurations:
        for run_id in configuration.runs["run_id"]:
            tracking.link_to_comparison(run_id, tracked.name, tracked.page)
    return tracking.hint(tracked.page), tracking.hint(tracking.view_page(tracked.experiment_id, "comparisons"))


def name_of(comparison: Comparison) -> str:
    """The name of the run: the verdict on the two best configurations, in points of macro F1."""
    if not comparison.differences:
        return f"compare: {comparison.configurations[0].name} alone"
    best = comparison.differences[0]
    if not best.separable:
        return f"compare: {best.first} and {best.second} not separable"
    better, worse = (best.first, best.second) if best.macro_f1.value > 0 else (best.second, best.first)
    low, high = sorted(abs(100 * bound) for bound in (best.macro_f1.low, best.macro_f1.high))
    return f"compare: {better} better than {worse} by {low:.1f} to {high:.1f}"


def _metrics(difference: Difference, changes: Changes) -> dict[str, float]:
    return with_bounds("comparison/difference", difference.macro_f1) | {
        "comparison/p": difference.p_holm,
        "comparison/gained": changes.count(GAINED),
        "comparison/lost": changes.count(LOST),
    }


def _description(comparison: Comparison, tracked: tracking.Run) -> str:
    verdicts = [f"- {verdict}" for verdict in comparison.verdicts[1:]]
    links = [
        f"- {name}, macro F1 {comparison.scores[name]['macro_f1']}: "
        + ", ".join(f"[{run_id[:8]}]({tracked.link(run_id)})" for run_id in runs["run_id"])
        for name, runs in comparison.configurations
    ]
    first = comparison.verdicts[0] if comparison.verdicts else "One configuration, with nothing to compare it with"
    changed = [f"- {comparison.changes.summary()}: `changes/sentences.csv`"] if comparison.changes else []
    details = [f"- {comparison.title}", *changed, *links, *verdicts, *tracked.origin()]
    return description.page(f"**{first}**", details)


def _differences(differences: Sequence[Difference]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "first": d.first, "second": d.second, "difference": d.macro_f1.value, "low": d.macro_f1.low,
            "high": d.macro_f1.high, "p": d.p, "p_holm": d.p_holm, "p_mcnemar": d.p_mcnemar, "verdict": d.verdict(),
        }
        for d in differences
    )  # fmt: skip
