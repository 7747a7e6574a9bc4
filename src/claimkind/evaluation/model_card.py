"""The model card: intended use, training data, results and limits of a trained model."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import yaml

from claimkind.dataset.rows import COMMERCIAL_LICENCES
from claimkind.evaluation.evaluation import Evaluation
from claimkind.labels import LABELS
from claimkind.metrics.scores import of_class, overall

_INTENDED = """\
Classifies single English sentences: *factual* sentences present something as settled fact, *speculative* ones as
possible, predicted, alleged or in question, and *opinion* ones judge, value or urge. It is intended for analysts,
fact-checkers and newsrooms who want to see where a text states facts, speculates or gives an opinion. It does not check
whether a claim is true, and decisions about people must not be based on it alone."""

_LIMITS = """\
- A language model assigned the labels according to `seeds/GUIDE.md`; no person has checked them.
- A language model wrote some of the sentences in the training and test data, so evaluate on your own text.
- Each sentence is classified without its context, so irony and what pronouns refer to can be missed.
- English only."""


_STRICTNESS = (*COMMERCIAL_LICENCES, "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0")
"""Licences, each at least as strict as those before it. Any other counts as stricter than all."""


class Subject(NamedTuple):
    """The model that a card describes."""

    name: str
    family: str
    dataset: str
    fingerprint: str
    training_rows: pd.DataFrame
    """`source`, `label` and `licence` of the rows that the model was trained on."""
    temperature: float
    abstain_below: float
    """Confidence below which it gives no label; 0 if it always gives one."""
    teachers: Sequence[str]
    """One sentence about each saved model that was used in training."""
    encoder: str | None = None
    """Name or folder of the encoder that was fine-tuned; None for a family without one."""


def render(subject: Subject, evaluation: Evaluation, behaviour: pd.DataFrame | None = None) -> str:
    """Write the card in Markdown, without front matter (see `front_matter`), which the MLflow UI would show as text.

    Args:
        subject: the model.
        evaluation: on the test split.
        behaviour: pass rates of the behaviour suite, if it was run.
    """
    sections = [
        f"# {subject.name}",
        f"A model of the family `{subject.family}`, trained with claimkind.",
        "## Intended use",
        _INTENDED,
        "## Data",
        f"Dataset `{subject.dataset}`, fingerprint `{subject.fingerprint}`. Its data card describes the origin of the "
        f"sentences. Training rows:\n\n{_training(subject.training_rows)}",
        *subject.teachers,
        "## Results on the test split",
        *_results(evaluation, behaviour),
        "## Confidence",
        f"Probabilities are calibrated with the temperature {subject.temperature:.3f}, which was fitted on validation. "
        + _abstention(subject.abstain_below, evaluation.coverage),
        "## Limits",
        _LIMITS,
        "## Licence",
        _licences(subject.training_rows),
    ]
    return "\n\n".join(sections) + "\n"


def front_matter(subject: Subject, evaluation: Evaluation) -> str:
    """The front matter of a card on the Hugging Face hub, with the results as its `model-index`.

    Args:
        subject: the model.
        evaluation: on the test split.
    """
    score = evaluation.scores["macro_f1"]
    result = {
        "task": {"type": "text-classification"},
        "dataset": {"type": subject.dataset, "name": f"claimkind {subject.dataset}, test split", "split": "test"},
        "metrics": [
            {"type": "f1", "name": f"macro F1 (n {evaluation.n:,}, 95% interval {score.low:.3f} to {score.high:.3f})",
             "value": round(score.value, 4)},
        ],
    }  # fmt: skip
    base = {"base_model": subject.encoder} if subject.encoder and _is_hub_name(subject.encoder) else {}
    data = {
        "language": "en",
        "license": hub_licence(strictest(subject.training_rows["licence"])),
        "pipeline_tag": "text-classification",
        "tags": ["claimkind", subject.family],
        **base,
        "model-index": [{"name": subject.name, "results": [result]}],
    }
    return f"---\n{yaml.safe_dump(data, sort_keys=False, allow_unicode=True)}---"


def _is_hub_name(encoder: str) -> bool:
    return not Path(encoder).is_absolute() and not Path(encoder).is_dir()


def strictest(licences: Iterable[str]) -> str:
    """The strictest of some licences; an unknown one counts as stricter than all known ones."""
    found = sorted(set(licences))
    return max(found, key=lambda licence: _STRICTNESS.index(licence) if licence in _STRICTNESS else len(_STRICTNESS))


def hub_licence(licence: str) -> str:
    """The hub's name of a licence; `other` for an unknown one."""
    return licence.lower() if licence in _STRICTNESS and licence != "own" else "other"


def _results(evaluation: Evaluation, behaviour: pd.DataFrame | None) -> list[str]:
    tables = {"source": evaluation.tables["sources"], "wording": evaluation.tables["slices"]}
    if behaviour is not None:
        tables["behaviour (pairs of a sentence and an edited version)"] = behaviour
    return [
        "Brackets are 95% confidence intervals from a bootstrap that resamples documents instead of sentences. In the "
        "tables by source and wording, macro F1 is the mean over the classes that occur in that part of the data.",
        _scores(evaluation),
        *[part for name, table in tables.items() for part in (f"### By {name}", markdown_table(table))],
    ]


def _scores(evaluation: Evaluation) -> str:
    each = {f"{name} {label}": score for label in LABELS for name, score in of_class(evaluation.scores, label).items()}
    scores = overall(evaluation.scores) | each
    return markdown_table(
        pd.DataFrame([(name, str(score)) for name, score in scores.items()], columns=["metric", "value"])
    )


def _abstention(abstain_below: float, coverage: Mapping[str, float]) -> str:
    if not abstain_below:
        return "It gives every sentence a label."
    precision = coverage.get("precision_decided")
    right = "" if precision is None else f", and {precision:.1%} of these labels are right"
    return (
        f"It answers `undecided` where the highest probability is below {abstain_below:.3f}. On the test split, "
        f"{coverage['coverage_decided']:.0%} of the sentences get a label{right}. The results above are for all "
        "sentences, each with its most probable label."
    )


def _licences(rows: pd.DataFrame) -> str:
    return (
        f"The model was trained on sentences under {', '.join(sorted(set(rows['licence'])))}. The strictest of these "
        "licences, and that of the encoder if there is one, limit the use of the model."
    )


def _training(rows: pd.DataFrame) -> str:
    counts = pd.crosstab(rows["source"], rows["label"].fillna("no label"))
    counts["licences"] = rows.groupby("source")["licence"].agg(lambda licences: ", ".join(sorted(set(licences))))
    return markdown_table(counts.reset_index())


def markdown_table(table: pd.DataFrame) -> str:
    """A table in Markdown."""

    def line(cells: Sequence[object]) -> str:
        return "| " + " | ".join(f"{c:.3f}" if isinstance(c, float) else str(c) for c in cells) + " |"

    rows = [line(row) for row in table.itertuples(index=False)]
    return "\n".join([line(list(table.columns)), line(["---"] * len(table.columns)), *rows])
