"""Plots of the results of a model; each function draws one figure."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import average_precision_score, precision_recall_curve

from claimkind.evaluation.evaluation import Predictions
from claimkind.labels import LABEL_COLOURS, LABELS
from claimkind.metrics.bootstrap import Estimate
from claimkind.metrics.calibration import expected_calibration_error, reliability, risk_coverage
from claimkind.metrics.scores import confusion_matrix

# Line styles tell the classes apart too, for readers who do not see colours.
_STYLES = {"factual": "-", "speculative": "--", "opinion": ":"}


def figures_of(predictions: Predictions, title: str) -> dict[str, Figure]:
    """All plots of a model's predictions by name: `confusion`, `reliability`, `risk_coverage`, `precision_recall`."""
    truth, probabilities = predictions.truth, predictions.probabilities
    plots = {
        "confusion": plot_confusion,
        "reliability": plot_reliability,
        "risk_coverage": plot_risk_coverage,
        "precision_recall": plot_precision_recall,
    }
    return {name: plot(truth, probabilities, title) for name, plot in plots.items()}


def plot_confusion(truth: np.ndarray, probabilities: np.ndarray, title: str) -> Figure:
    """Confusion matrix: counts, shaded by their share of the true class."""
    counts = confusion_matrix(truth, probabilities.argmax(axis=1))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(5, 4.4), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > 0.5 else "black"
        text = f"{count}\n{shares[row, column]:.0%}"
        axes.text(column, row, text, ha="center", va="center", color=colour)
    axes.set_xticks(range(len(LABELS)), LABELS)
    axes.set_yticks(range(len(LABELS)), LABELS, rotation=90, va="center")
    axes.set(xlabel="predicted", ylabel="labelled", title=title)
    return figure


def plot_estimates(estimates: Mapping[str, Estimate], title: str) -> Figure:
    """Estimates with their intervals, one below the other."""
    figure = Figure(figsize=(8, 1.2 + 0.45 * len(estimates)), layout="constrained")
    axes = figure.subplots()
    for row, estimate in enumerate(estimates.values()):
        axes.plot([estimate.low, estimate.high], [row, row], color=LABEL_COLOURS["factual"], linewidth=3)
        axes.plot(estimate.value, row, marker="o", color="black")
    axes.set_yticks(range(len(estimates)), list(estimates))
    axes.set_ylim(len(estimates) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.4)
    figure.suptitle(title, x=0.01, ha="left", fontsize="medium")  # left of the axes too, since names may be long
    return figure


def plot_reliability(truth: np.ndarray, probabilities: np.ndarray, title: str) -> Figure:
    """Reliability diagram: accuracy against confidence; on the diagonal, confidence 0.8 means 80% accuracy."""
    bins = reliability(truth, probabilities)
    figure = Figure(figsize=(5, 4.6), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    axes.plot([b.confidence for b in bins], [b.accuracy for b in bins], marker="o", color=LABEL_COLOURS["factual"])
    for b in bins:
        axes.annotate(
            f"n={b.size}", (b.confidence, b.accuracy), textcoords="offset points", xytext=(6, -10), fontsize=8
        )
    error = expected_calibration_error(truth, probabilities)
    axes.set(
        xlim=(0.3, 1.02), ylim=(0, 1.02), xlabel="confidence", ylabel="accuracy", title=f"{title}, ECE {error:.3f}"
    )
    return figure


def plot_precision_recall(truth: np.ndarray, probabilities: np.ndarray, title: str) -> Figure:
    """Precision-recall curve of each class."""
    figure = Figure(figsize=(5, 4.6), layout="constrained")
    axes = figure.subplots()
    for index, label in enumerate(LABELS):
        positive = truth == index
        if not positive.any():
            continue
        precision, recall, _ = precision_recall_curve(positive, probabilities[:, index])
        average = average_precision_score(positive, probabilities[:, index])
        axes.plot(
            recall,
            precision,
            _STYLES[label],
            color=LABEL_COLOURS[label],
            label=f"{label}, average precision {average:.3f}",
        )
    axes.legend(loc="lower left", fontsize=9)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="recall", ylabel="precision", title=title)
    return figure


def plot_risk_coverage(truth: np.ndarray, probabilities: np.ndarray, title: str) -> Figure:
    """Risk-coverage curve: the error rate among the sentences that get a label, against their share."""
    coverage, risk = risk_coverage(truth, probabilities)
    figure = Figure(figsize=(5, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(coverage, risk, color=LABEL_COLOURS["factual"])
    axes.axhline(0.05, color="grey", linewidth=1, linestyle=":")
    axes.set(xlabel="coverage (share of sentences with a label)", ylabel="risk (error rate among these)", title=title)
    axes.set(xlim=(0, 1), ylim=(0, None))
    return figure


def plot_search(numbers: Sequence[int], scores: Sequence[float]) -> Figure:
    """Score of each trial of a search, and the best so far; trials without a score, NaN, are left out."""
    order = np.argsort(numbers)
    trials, values = np.asarray(numbers)[order], np.asarray(scores, dtype=float)[order]
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(trials, values, "o", color=LABEL_COLOURS["factual"], label="trial")
    axes.plot(trials, np.fmax.accumulate(values), color=LABEL_COLOURS["opinion"], label="best so far")
    axes.set(xlabel="trial", ylabel="macro F1 on validation")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="lower right")
    return figure


def plot_strongest(ngrams: Mapping[str, Sequence[tuple[str, float]]]) -> Figure:
    """The n-grams with the highest weights for each class, the highest on top."""
    figure = Figure(figsize=(4 * len(ngrams), 6), layout="constrained")
    for axes, (label, found) in zip(np.atleast_1d(figure.subplots(1, len(ngrams))), ngrams.items(), strict=True):
        names = [f"“{name}”" for name, _ in found]
        axes.barh(range(len(found)), [weight for _, weight in found], color=LABEL_COLOURS[label])
        axes.set_yticks(range(len(found)), names, parse_math=False)
        axes.invert_yaxis()
        axes.set(title=label, xlabel="weight (logits)")
    return figure
