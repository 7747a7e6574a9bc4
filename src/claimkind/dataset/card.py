"""The data card: what a dataset holds, where it comes from, how far it can be trusted."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.metrics import cohen_kappa_score

from claimkind.labels import LABELS

_PROVENANCE = """\
The documents of the source `documents` were written for this project with a language model, save `article`, which is
the project user's own. Every label was given by a language model that read the sentence alone, in two independent
passes in different orders under `seeds/GUIDE.md`; where the two differed, a third decided. All votes are kept in the
column `votes`, and `rule` names the rule of the guide that decided."""

_LIMITS = """\
- No person has checked the labels. The passes come from the same model, so their agreement says how stable the guide
  is, not how right the labels are.
- Text written by a language model is cleaner and more even than what people write; figures on it flatter a model.
- The label is that of the sentence read alone: sentences whose kind depends on the text around them are labelled by
  what they say out of context.
- English only."""


def write_card(path: Path, description: Mapping[str, Any], splits: Mapping[str, pd.DataFrame]) -> None:
    """Write the card of a dataset in the form of Hugging Face's dataset cards."""
    rows = pd.concat([part.assign(split=name) for name, part in splits.items()], ignore_index=True)
    sections = [
        _front_matter(description, rows),
        f"# {description['name']}\n\nSentences labelled {', '.join(LABELS)}. Built by `{description['command']}`; "
        f"fingerprint `{description['fingerprint']}`.",
        "## Counts\n\n" + _counts(rows, "split") + "\n\n" + _counts(rows, "source") + "\n\n" + _counts(rows, "genre"),
        "## Where it comes from\n\n" + _PROVENANCE,
        "## Agreement of the two passes\n\n" + _agreement(rows),
        "## Rules that decided\n\n" + _table(rows.groupby("rule", dropna=False)["label"].value_counts().unstack()),
        "## Licences\n\n" + _counts(rows, "licence"),
        "## Split\n\nBy group, so that no document is on two sides; documents pinned to the test side: "
        f"{', '.join(description['settings']['always_test']) or 'none'}.",
        "## Known limits\n\n" + _LIMITS,
    ]
    path.write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def _front_matter(description: Mapping[str, Any], rows: pd.DataFrame) -> str:
    files = "\n".join(f"      - split: {name}\n        path: {name}.parquet" for name in description["rows"])
    return (
        f"---\npretty_name: claimkind {description['name']}\nlanguage: [en]\nlicense: other\n"
        f"task_categories: [text-classification]\nsize_categories: [{_size_category(len(rows))}]\n"
        f"configs:\n  - config_name: default\n    data_files:\n{files}\n---"
    )


def _size_category(rows: int) -> str:
    bounds = [("n<1K", 1_000), ("1K<n<10K", 10_000), ("10K<n<100K", 100_000), ("100K<n<1M", 1_000_000)]
    return next((name for name, bound in bounds if rows < bound), "1M<n<10M")


def _counts(rows: pd.DataFrame, column: str) -> str:
    labels = rows["label"].fillna("no label")
    table = pd.crosstab(rows[column].fillna("none"), labels)
    columns = [name for name in (*LABELS, "no label") if name in table.columns]
    return _table(table[columns].assign(total=table.sum(axis=1)))


def _agreement(rows: pd.DataFrame) -> str:
    """Cohen's kappa of the first two votes, overall, per label (one against the rest) and per genre."""
    voted = rows[[isinstance(votes, list) and len(votes) >= 2 for votes in rows["votes"]]]
    if voted.empty:
        return "No row carries two votes."
    first, second = (pd.Series([votes[index] for votes in voted["votes"]], index=voted.index) for index in (0, 1))
    measured = [("all", len(voted), (first == second).mean(), cohen_kappa_score(first, second))]
    for label in LABELS:
        a, b = first == label, second == label
        measured.append((label, int((a | b).sum()), (a == b).mean(), cohen_kappa_score(a, b)))
    for genre, part in voted.groupby("genre"):
        a, b = first[part.index], second[part.index]
        measured.append((str(genre), len(part), (a == b).mean(), cohen_kappa_score(a, b)))
    table = pd.DataFrame(measured, columns=["part", "sentences", "agreement", "kappa"]).set_index("part")
    return _table(table.round(3))


def _table(frame: pd.DataFrame) -> str:
    """A frame as a Markdown table, its index as the first column."""
    header = [str(frame.index.name or ""), *map(str, frame.columns)]
    lines = [header, ["---"] * len(header)]
    for name, values in zip(frame.index, frame.itertuples(index=False), strict=True):
        lines.append([str(name), *(_cell(value) for value in values)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: Any) -> str:
    if pd.isna(value):
        return ""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.3f}"
