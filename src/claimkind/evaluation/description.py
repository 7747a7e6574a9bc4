"""Descriptions of runs in Markdown, as the MLflow UI shows them: the result first."""

from collections.abc import Sequence

from claimkind.evaluation.evaluation import Evaluation
from claimkind.labels import LABELS

_FEWEST = 20
"""Smallest number of sentences of a slice that is named as one of the weakest; scores of smaller ones vary too much."""
_WEAKEST = 3


def headline(evaluation: Evaluation, place: str) -> str:
    """The main result in one line.

    Args:
        evaluation: of a model.
        place: the data that it was evaluated on, such as `bundled test`.
    """
    score = evaluation.scores["macro_f1"]
    return f"**Macro F1 {score}** on {place} ({evaluation.n:,} sentences, 95% interval from a bootstrap over documents)"


def weaknesses(evaluation: Evaluation) -> list[str]:
    """The class and the slices by wording with the lowest scores, as items of a list."""
    by_class = {label: evaluation.scores[f"f1_{label}"] for label in LABELS}
    weakest = min(by_class, key=lambda label: by_class[label].value)
    slices = {name: part for name, part in evaluation.parts["slices"].items() if part.n >= _FEWEST}
    lowest = sorted(slices, key=lambda name: slices[name].macro_f1.value)[:_WEAKEST]
    shown = [f"{name} {slices[name].macro_f1.value:.3f} (n {slices[name].n})" for name in lowest]
    found = [f"- Weakest class: {weakest}, F1 {by_class[weakest]}"]
    return [*found, f"- Lowest macro F1 by wording: {', '.join(shown)}"] if shown else found


def page(verdict: str, details: Sequence[str]) -> str:
    """A description: the result, then the details as items of a list."""
    return "\n".join([verdict, "", *details])
