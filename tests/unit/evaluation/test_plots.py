import numpy as np
import pytest

from claimkind.evaluation.plots import figures_of, plot_search
from tests.unit.evaluation.test_evaluation import random_predictions


@pytest.mark.parametrize("only_one_class", [False, True])
def test_all_plots_are_drawn_also_when_classes_are_missing(only_one_class):
    predictions = random_predictions()
    if only_one_class:
        predictions = predictions._replace(truth=np.zeros(120, dtype=int))
    figures = figures_of(predictions, "title")
    assert set(figures) == {"confusion", "reliability", "risk_coverage", "precision_recall"}
    assert all(figure.axes[0].get_title().startswith("title") for figure in figures.values())


def test_a_search_is_drawn_in_the_order_of_its_trials():
    trials, best = plot_search([2, 0, 1], [0.5, 0.4, np.nan]).axes[0].lines
    assert trials.get_ydata()[[0, 2]].tolist() == [0.4, 0.5]
    assert best.get_ydata().tolist() == [0.4, 0.4, 0.5]
