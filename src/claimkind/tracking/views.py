"""Saved views of an experiment in the MLflow UI: which runs a page shows, with which columns and charts.

MLflow keeps a view as a tag of the experiment, `mlflow.sharedViewState.<id>`: JSON with the name, the times of creation
and of the last change in milliseconds, and the state, which is JSON too, compressed with zlib and encoded in base64.
The form of the state is that of MLflow 3.17, read from a view that was saved in the UI.
"""

import base64
import json
import time
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import mlflow
from mlflow.entities import Experiment

from claimkind.labels import LABELS
from claimkind.tracking.links import DESCRIPTION_TAG, experiment_page

_VERSION = 1
"""Of the views; a higher one adds the views again under new ids and names, and leaves the earlier ones alone."""
_WRITTEN = "claimkind.views"
"""Tag of an experiment with the version of the views that it got."""
_STATE = "mlflow.sharedViewState."
_RUN_NAME = "attributes.`Run Name`"
_PRIMARY = "mlflow.experiment.primaryMetric.name"


class View(NamedTuple):
    """A saved view."""

    name: str
    shows: str
    """What one sees there, in a few words."""
    filter: str
    """In MLflow's search syntax."""
    columns: Sequence[str]
    """Keys of the columns of the table."""
    order: str
    """Key of the column by which it is sorted, the highest value first."""
    charts: Sequence[tuple[str, str]] = ()
    """Type and metric of each chart."""

    @property
    def id(self) -> str:
        """The id, the same in every experiment."""
        return f"claimkind-{self.name.lower().replace(' ', '-')}-v{_VERSION}"

    @property
    def title(self) -> str:
        """The name with the version of the views."""
        return f"{self.name} (v{_VERSION})"

    def state(self) -> dict[str, Any]:
        """The view as the UI keeps it."""
        section = f"{self.id}-charts"
        shown = {"display": True, "isReordered": False, "deleted": False, "isGenerated": False}
        charts = [_chart(f"{self.id}-{number}", section, *chart) for number, chart in enumerate(self.charts)]
        return {
            "searchFilter": self.filter,
            "orderByKey": self.order,
            "orderByAsc": False,
            "startTime": "ALL",
            "lifecycleFilter": "Active",
            "datasetsFilter": [],
            "modelVersionFilter": "All Runs",
            "selectedColumns": list(self.columns),
            "columnOrder": [_RUN_NAME, *self.columns],
            "columnWidths": {_RUN_NAME: 330, **{column: _width(column) for column in self.columns}},
            "runsHiddenMode": "FIRST_20_RUNS",
            **({"compareRunCharts": charts} if charts else {}),
            **({"compareRunSections": [{"uuid": section, "name": self.name, **shown}]} if charts else {}),
            "viewMaximized": False,
            "runListHidden": False,
            "isAccordionReordered": False,
            "useGroupedValuesInCharts": True,
            "hideEmptyCharts": True,
            "groupBy": None,
            "groupsExpanded": {},
            "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
        }

    def tag(self, milliseconds: int) -> dict[str, str]:
        """The view as a tag of an experiment, made at a time in milliseconds since 1970."""
        packed = base64.b64encode(zlib.compress(json.dumps(self.state()).encode())).decode()
        times = {"createdAt": milliseconds, "updatedAt": milliseconds}
        return {f"{_STATE}{self.id}": json.dumps({"name": self.title, **times, "state": f"deflate;{packed}"})}


def _width(column: str) -> int:
    """In pixels, so that the name of the column is not cut off."""
    return 34 + 7 * len(column.partition("`")[2].rstrip("`"))


def _chart(uuid: str, section: str, kind: str, metric: str) -> dict[str, Any]:
    common = {
        "uuid": uuid, "type": kind, "runsCountToCompare": 20, "metricSectionId": section, "deleted": False,
        "isGenerated": False, "displayName": metric, "metricKey": metric,
    }  # fmt: skip
    if kind != "LINE":
        return common
    return common | {
        "lineSmoothness": 0, "xAxisScaleType": "linear", "scaleType": "linear", "range": {}, "xAxisKey": "step",
        "selectedXAxisMetricKey": "", "yAxisKey": "metric", "yAxisExpressions": [], "ignoreOutliers": False,
        "useGlobalXaxisKey": True, "useGlobalLineSmoothing": True, "selectedMetricKeys": [metric],
    }  # fmt: skip


def _metrics(*names: str) -> list[str]:
    return [f"metrics.`{name}`" for name in names]


VIEWS: Mapping[str, View] = {
    "leaderboard": View(
        "Leaderboard",
        "trainings, the best on validation first, with their scores on test",
        "tags.kind = 'training'",
        [
            *_metrics("validation/macro_f1", "test/macro_f1", "test/macro_f1_low", "test/macro_f1_high"),
            *_metrics(*(f"test/f1_{label}" for label in LABELS), "training/seconds"),
            "tags.`model`",
            "tags.`dataset`",
        ],
        "metrics.`validation/macro_f1`",
        charts=[
            ("BAR", "validation/macro_f1"),
            ("BAR", "test/macro_f1"),
            *(("BAR", f"test/f1_{label}") for label in LABELS),
            ("BAR", "training/seconds"),
        ],
    ),
    "curves": View(
        "Training curves",
        "loss and validation scores during training",
        "tags.kind = 'training' and metrics.`training/loss` > 0",
        _metrics("training/loss", "training/validation_loss", "training/validation_macro_f1", "training/seconds"),
        "attributes.start_time",
        charts=[
            ("LINE", "training/loss"),
            ("LINE", "training/validation_loss"),
            ("LINE", "training/validation_macro_f1"),
            ("LINE", "training/learning_rate"),
        ],
    ),
    "search": View(
        "Search",
        "searches with their trials, and the macro F1 of each on validation",
        "tags.search != ''",
        [*_metrics("validation/macro_f1", "training/seconds"), "tags.`search`", "tags.`kind`"],
        "attributes.start_time",  # in any other order, the UI does not show trials below their search
        charts=[("BAR", "validation/macro_f1"), ("BAR", "training/seconds")],
    ),
    "comparisons": View(
        "Comparisons",
        "comparisons, with the difference between the two best models in macro F1, its interval and its p value",
        "tags.kind = 'comparison'",
        [
            *_metrics("comparison/difference", "comparison/difference_low", "comparison/difference_high"),
            *_metrics("comparison/p", "comparison/gained", "comparison/lost"),
            "tags.`dataset`",
        ],
        "attributes.start_time",
    ),
}
"""By key, the views that an experiment gets."""


def write_views(experiment: Experiment) -> None:
    """Give an experiment the views, a description and its main metric, once; what it has already stays as it is.

    A view that a user changed or deleted is never written again.
    """
    if experiment.tags.get(_WRITTEN) == str(_VERSION):
        return
    tags = {DESCRIPTION_TAG: _description(experiment.experiment_id), _PRIMARY: "test/macro_f1"}
    for view in VIEWS.values():
        tags |= view.tag(time.time_ns() // 1_000_000)
    client = mlflow.MlflowClient()
    for name, value in tags.items():
        if name not in experiment.tags:
            client.set_experiment_tag(experiment.experiment_id, name, value)
    client.set_experiment_tag(experiment.experiment_id, _WRITTEN, str(_VERSION))


def view_page(experiment_id: str, key: str) -> str:
    """The address of a view within the UI."""
    mode = "&compareRunsMode=CHART" if key == "curves" else ""
    return (
        f"{experiment_page(experiment_id)}/runs?workflowType=machine_learning{mode}&viewStateShareKey={VIEWS[key].id}"
    )


def _description(experiment_id: str) -> str:
    links = [f"- [{view.title}]({view_page(experiment_id, key)}): {view.shows}" for key, view in VIEWS.items()]
    return "\n".join(
        [
            "Classifiers of sentences: factual, speculative or opinion. Trainings are chosen by macro F1 on the "
            "validation split, and judged by macro F1 on the test split.",
            "",
            *links,
        ]
    )
