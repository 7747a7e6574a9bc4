"""Evaluation of a saved model, on a split of a built dataset or by a probe on an external test set."""

from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from claimkind import tracking
from claimkind.config import EvaluateConfig, build, changed_settings
from claimkind.dataset.labelled_file import LabelledFile, load_labelled_file
from claimkind.dataset.load import BuiltDataset, load_dataset
from claimkind.dataset.rows import predictions_of
from claimkind.errors import ClaimkindError
from claimkind.evaluation import description
from claimkind.evaluation.behaviour import pass_rates, read_pairs
from claimkind.evaluation.evaluation import Evaluation, Predictions, evaluate, predictions_for
from claimkind.evaluation.probe import Probe
from claimkind.evaluation.run_tables import log_results, log_split
from claimkind.evaluation.selection import without_dataset
from claimkind.labels import LABELS
from claimkind.manifest import MANIFEST, sha256_file
from claimkind.metrics.bootstrap import check_samples, with_bounds
from claimkind.metrics.scores import of_class, overall
from claimkind.models.base import Predictor
from claimkind.models.inference import Inference

_SPLITS = ("validation", "test")
_WEAKEST = 10
"""Number of genres that are shown."""
_FEWEST = 30
"""Genres of fewer sentences are not shown where there are many: their scores vary too much."""


class SplitResults(NamedTuple):
    """The results of a saved model on a split of a dataset."""

    dataset: BuiltDataset
    split: str
    predictions: pd.DataFrame
    """As `predictions_of` returns them."""
    evaluation: Evaluation


class SavedModelResult(NamedTuple):
    """The results of a saved model, as they are shown and logged."""

    name: str
    title: str
    tables: dict[str, pd.DataFrame]
    metrics: dict[str, float]
    tags: dict[str, str]
    """Tags of the run, by which `scripts/compare.py` finds it."""
    description: str
    """Of the run, in Markdown."""
    results: SplitResults | None = None
    """On a split of a dataset; None for a probe."""
    link: str = ""
    """Address of the run in the MLflow UI."""

    def text(self) -> str:
        """The title and the tables, without most genres where there are many; the run has them all."""
        tables = [_shown(name, table) for name, table in self.tables.items()]
        return "\n".join([self.title, *tables, "", self.link]).rstrip()


def run(config: EvaluateConfig) -> SavedModelResult:
    """Evaluate a saved model and log the results as a run of their own; see `configs/evaluate.yaml`.

    The run has the parameters of the training, by which `scripts/compare.py` tells configurations apart.

    Raises:
        ClaimkindError: the model, the dataset, the probe or the behaviour suite is missing or invalid.
    """
    check_samples(config.bootstrap_samples)
    _check_data(config.split, config.input, has_probe=bool(config.probe))
    suite: Path | None = Path(config.paths.seeds_dir) / "behaviour" / "pairs.jsonl"
    if config.probe:
        probe: Probe = build(config.probe, "probe", "claimkind.evaluation.probe")
    elif config.input:
        file = LabelledFile(
            Path(config.input), config.text_column, config.label_column, config.group_column, config.labels
        )
        dataset, suite = load_labelled_file(file), None
    else:
        dataset = load_dataset(config.paths.data_dir, config.dataset.name, changed_settings(config.dataset))
    inference = Inference(config.inference.backend, config.inference.precision)
    classifier = tracking.fetch_model(config.model_uri, inference=inference)
    if config.probe:
        report = report_on_probe(classifier, probe, config.bootstrap_samples)
    else:
        report = report_on_split(classifier, dataset, config.split, suite, config.bootstrap_samples)
    report = report._replace(title=f"{config.model_uri} on {report.title}")
    origin = tracking.origin_of(config.model_uri)
    tags = {"kind": "evaluation", "evaluated_model": origin.model_uri, **report.tags}
    with tracking.start_run(
        config.experiment_name, f"evaluate {_name_of_model(origin, report)} · {report.name}", tags
    ) as tracked:
        tracked.log_config(asdict(config), origin.params or _digest_of(config.model_uri))
        _log(report, origin, tracked)
    return report._replace(link=tracking.hint(tracked.page))


def report_on_probe(classifier: Predictor, probe: Probe, samples: int) -> SavedModelResult:
    """Evaluate a fitted classifier by a probe, with `samples` bootstrap samples."""
    score = probe.measure(classifier, samples)
    title = f"{score.name}, {score.method} on {score.train_size:,} sentences, n = {score.test_size:,}"
    metrics = with_bounds(f"{score.name}/macro_f1", score.macro_f1) | {f"{score.name}/accuracy": score.accuracy}
    if score.correlation:
        metrics |= with_bounds(f"{score.name}/rank_correlation", score.correlation)
    described = description.page(f"**Macro F1 {score.macro_f1}** of a probe on `{score.name}`", [f"- {title}"])
    return SavedModelResult(score.name, title, {"probe": score.table()}, metrics, {"probe": score.name}, described)


def report_on_split(
    classifier: Predictor, dataset: BuiltDataset, split: str, behaviour_suite: Path | None, samples: int
) -> SavedModelResult:
    """Evaluate a classifier on a split of a dataset, and on the behaviour suite.

    Args:
        classifier: fitted.
        dataset: built.
        split: `validation` or `test`.
        behaviour_suite: file of the pairs; None leaves it out.
        samples: number of bootstrap samples.
    """
    pairs = read_pairs(behaviour_suite) if behaviour_suite else None
    rows = dataset.splits[split]
    predictions = predictions_for(rows, classifier.predict_proba(rows["text"][:]))
    evaluation = evaluate(predictions, samples=samples, abstain_below=classifier.abstain_below)
    behaviour = None if pairs is None else pass_rates(classifier, pairs)
    tables, metrics = tables_of(evaluation, predictions), evaluation.headlines(split)
    if behaviour is not None:
        tables["behaviour"] = behaviour
        metrics["behaviour/pass_rate"] = float(behaviour["rate"].iloc[-1])
    return SavedModelResult(
        name=f"{dataset.name}/{split}",
        title=f"{dataset.name} {split}, fingerprint {dataset.fingerprint}, n = {evaluation.n:,}",
        tables=tables,
        metrics=metrics,
        tags={"dataset": dataset.name, "dataset_fingerprint": dataset.fingerprint},
        description=description.page(
            description.headline(evaluation, f"`{dataset.name}` {split}"), description.weaknesses(evaluation)
        ),
        results=SplitResults(dataset, split, predictions_of(rows, predictions.probabilities), evaluation),
    )


def tables_of(evaluation: Evaluation, predictions: Predictions) -> dict[str, pd.DataFrame]:
    """The tables of an evaluation by name: `whole`, `classes`, `sources`, `genres` and `slices`."""
    return {"whole": _whole(evaluation), "classes": _classes(evaluation, predictions), **evaluation.tables}


def _shown(name: str, table: pd.DataFrame) -> str:
    frequent = table[table["sentences"] >= _FEWEST] if name == "genres" else table
    if name == "genres" and len(table) > _WEAKEST and len(frequent):
        table = frequent.sort_values("macro F1", ignore_index=True).head(_WEAKEST)
        name = f"genres: the {len(table)} weakest of at least {_FEWEST} sentences"
    return f"\n{name}\n{table.to_string(index=False, float_format='{:.3f}'.format)}"


def _check_data(split: str, file: str | None, *, has_probe: bool) -> None:
    """Refuse what cannot be evaluated before anything is read."""
    if file and has_probe:
        raise ClaimkindError("input and probe are two test sets, expected one: leave one of them out")
    if file and split != "test":
        raise ClaimkindError(f"split={split}, but a file is evaluated as a whole: leave split out")
    if split not in _SPLITS:
        raise ClaimkindError(f"split={split} holds no evaluated sentences, expected {' or '.join(_SPLITS)}")


def _digest_of(model_uri: str) -> dict[str, str]:
    """A parameter that identifies a model whose training run is not known."""
    return {"model": sha256_file(tracking.fetch_folder(model_uri) / MANIFEST)[:16]}


def _name_of_model(origin: tracking.Origin, report: SavedModelResult) -> str:
    """The evaluated model, by the name of its run without the dataset that it is evaluated on."""
    if not origin.run:
        return Path(origin.model_uri).name
    return without_dataset(origin.run.name, report.tags.get("dataset", "")).removesuffix(f"{tracking.SEPARATOR}seed 0")


def _log(report: SavedModelResult, origin: tracking.Origin, tracked: tracking.Run) -> None:
    trained = [f"- Trained in [{origin.run.name}]({origin.run.page})"] if origin.run else []
    model = f"- Model: `{origin.model_uri}`"
    tracked.describe("\n".join([report.description, model, *trained, *tracked.origin()]))
    for name, table in report.tables.items():
        tracked.log_table(table, f"evaluation/{name}.csv")
    if report.results is None:
        tracked.log_metrics(report.metrics)
        return
    dataset, split, predictions, evaluation = report.results
    log_split(tracked, dataset, split)
    tracked.log_metrics(report.metrics, split=split)
    log_results(tracked, split, predictions, evaluation)


def _whole(evaluation: Evaluation) -> pd.DataFrame:
    figures = {name: str(score) for name, score in overall(evaluation.scores).items()}
    figures["expected calibration error"] = f"{evaluation.calibration['ece']:.3f}"
    names = {"coverage_decided": "share not undecided", "precision_decided": "accuracy of these"}
    figures |= {
        shown: f"{evaluation.coverage[name]:.3f}" for name, shown in names.items() if name in evaluation.coverage
    }
    return pd.DataFrame(figures.items(), columns=["figure", "value"])


def _classes(evaluation: Evaluation, predictions: Predictions) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "class": label,
            "sentences": int((predictions.truth == index).sum()),
            **{name: str(score) for name, score in of_class(evaluation.scores, label).items()},
        }
        for index, label in enumerate(LABELS)
    )
