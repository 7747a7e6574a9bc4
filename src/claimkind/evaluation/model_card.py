"""The model card: what a trained model is for, what it learned from, how well it does and where it does not."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from claimkind.labels import LABELS
from claimkind.metrics.bootstrap import Estimate

_INTENDED = """\
Tells of each English sentence, read alone, whether it presents something as settled fact (*factual*), as possible,
predicted, alleged or asked (*speculative*), or judges, values or urges (*opinion*). Made for analysts, fact-checkers
and newsrooms who want to see where a text slides from one to the other. It does not say whether a claim is true, and
it must not decide alone about people."""

_LIMITS = """\
- The labels that it learned from were given by a language model under `seeds/GUIDE.md`; no person has checked them.
- Part of the sentences, on both sides of the split, were written by a language model. Measure on your own text.
- It reads each sentence without its context: irony, and whom a pronoun means, are lost on it.
- English only."""


_FRONT = """\
---
language: en
license: other
pipeline_tag: text-classification
tags: [claimkind, {family}]
---"""


class Subject(NamedTuple):
    """What a card is about."""

    name: str
    family: str
    dataset: str
    fingerprint: str
    training_rows: pd.DataFrame
    """`source`, `label` and `licence` of the rows that it was trained on."""
    temperature: float
    abstain_below: float
    coverage: float
    """Share of the test sentences of which it is so sure."""
    precision: float
    """Share of their labels that is right."""
    teachers: Sequence[str]
    """What else it learned from: a sentence each."""


def render(subject: Subject, scores: Mapping[str, Estimate], tables: Mapping[str, pd.DataFrame]) -> str:
    """The card in Markdown, with front matter in Hugging Face's form.

    Args:
        subject: the model.
        scores: on the test split.
        tables: more figures on the test split, by heading.
    """
    abstains = (
        f"It says `undecided` where its highest probability is below {subject.abstain_below:.3f}. On the test split "
        f"{subject.coverage:.0%} of the sentences then get a label, and {subject.precision:.1%} of these labels are "
        "right; the figures above are of all sentences, as if each got one."
        if subject.abstain_below
        else "It gives every sentence a label."
    )
    licences = sorted(set(subject.training_rows["licence"]))
    sections = [
        f"# {subject.name}",
        f"A model of the family `{subject.family}`, trained with claimkind.",
        "## Intended use",
        _INTENDED,
        "## Data",
        f"Dataset `{subject.dataset}`, fingerprint `{subject.fingerprint}`; its own card says where the sentences come "
        f"from. Trained on:\n\n{_training(subject.training_rows)}",
        *subject.teachers,
        "## Figures on the test split",
        "With 95% intervals that resample documents, not sentences. Within a part of the sentences, macro F1 is over "
        "the classes that occur there.\n\n" + _scores(scores),
        *[part for name, table in tables.items() for part in (f"### By {name}", _markdown(table))],
        "## Confidence",
        f"The temperature {subject.temperature:.3f}, fitted on validation, is part of the model. {abstains}",
        "## Limits",
        _LIMITS,
        "## Licence",
        f"It was trained on sentences under {', '.join(licences)}; the strictest of these, and the licence of the "
        "encoder if there is one, say what it may be used for.",
    ]
    return "\n\n".join([_FRONT.format(family=subject.family), *sections]) + "\n"


def _training(rows: pd.DataFrame) -> str:
    counts = pd.crosstab(rows["source"], rows["label"].fillna("no label"))
    counts["licences"] = rows.groupby("source")["licence"].agg(lambda licences: ", ".join(sorted(set(licences))))
    return _markdown(counts.reset_index())


def _scores(scores: Mapping[str, Estimate]) -> str:
    whole = [("macro F1", scores["macro_f1"]), ("accuracy", scores["accuracy"])]
    each = [
        (f"{name} {label}", scores[f"{name}_{label}"]) for label in LABELS for name in ("precision", "recall", "f1")
    ]
    return _markdown(pd.DataFrame([(name, str(score)) for name, score in whole + each], columns=["figure", "value"]))


def _markdown(table: pd.DataFrame) -> str:
    def line(cells: Sequence[object]) -> str:
        return "| " + " | ".join(f"{c:.3f}" if isinstance(c, float) else str(c) for c in cells) + " |"

    rows = [line(row) for row in table.itertuples(index=False)]
    return "\n".join([line(list(table.columns)), line(["---"] * len(table.columns)), *rows])
