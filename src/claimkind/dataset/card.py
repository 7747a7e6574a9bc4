"""The data card: what a dataset holds, where it comes from, how far it can be trusted."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.metrics import cohen_kappa_score

from claimkind.labels import LABELS

_PROVENANCE = """\
The sources `documents` and `contrast` were written for this project with a language model, save the document
`article`, which is the project user's own. Labels were given by a language model that read each sentence alone, in two
passes in different orders under `seeds/GUIDE.md`; where the two differed, a third decided. `seeds/README.md` says how
independent the passes were.
All votes are kept in the column `votes`, and `rule` names the rule of the guide that decided."""

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
    sections = {
        "": f"Sentences labelled {', '.join(LABELS)}. Built by `{description['command']}`; "
        f"fingerprint `{description['fingerprint']}`.",
        "Counts": "\n\n".join(_counts(rows, column) for column in ("split", "source", "genre")),
        "Where it comes from": _PROVENANCE + "\n\n" + _citations(description),
        "Agreement of the two passes": _agreement(rows),
        "Agreement with the corpora's own labels": _agreement_with_sources(rows),
        "Evidence": _evidence(description),
        "Rules that decided": _table(pd.crosstab(rows["rule"], rows["label"])),
        "Most frequent phrases of the documents": _phrases(rows[rows["source"] == "documents"]),
        "Licences": _counts(rows, "licence"),
        "Duplicates and splits": _splitting(description),
        "Known limits": _LIMITS,
    }
    body = [
        f"## {title}\n\n{text}" if title else f"# {description['name']}\n\n{text}" for title, text in sections.items()
    ]
    path.write_text("\n\n".join([_front_matter(description, rows), *body]) + "\n", encoding="utf-8")


def _citations(description: Mapping[str, Any]) -> str:
    return "\n".join(f"- `{name}`: {text}" for name, text in description["citations"].items()) or "No public corpus."


def _splitting(description: Mapping[str, Any]) -> str:
    return (
        f"{description['duplicates_removed']:,} duplicates were removed (case, quotation marks, dashes and blanks do "
        f"not count; a three-way label wins, then the order of the sources); on "
        f"{description['sentences_labelled_differently']:,} sentences labels of ours differed. "
        f"{description['near_duplicate_pairs']:,} pairs of near-duplicates (Jaccard similarity of character 5-grams of "
        f"{description['settings']['near_duplicate_threshold']} or more) were put in one group. "
        f"{description['left_out_by_licence_or_without_any_label']:,} rows were left out for their licence or because "
        "nothing is known of their class.\n\nThe split is by group: documents, articles, or single sentences where a "
        "corpus does not say what belongs together. Validation and test hold three-way labels only. Documents that are "
        f"always on the test side: {', '.join(description['settings']['always_test']) or 'none'}."
    )


def _agreement_with_sources(rows: pd.DataFrame) -> str:
    """How our labels fall within each label that people gave."""
    both = rows[rows["label"].notna() & rows["source_label"].notna()]
    if both.empty:
        return "No source carries labels of its own."
    table = pd.crosstab(both["source"] + ": " + both["source_label"], both["label"])
    shares = table.div(table.sum(axis=1), axis=0).reindex(columns=list(LABELS), fill_value=0.0)
    shares.index.name = "label of the corpus"
    intro = "Shares of our three labels within each label that people gave; the only check by people that there is."
    return intro + "\n\n" + _table(shares.assign(sentences=table.sum(axis=1)))


def _evidence(description: Mapping[str, Any]) -> str:
    lines = {f"{s}: {label}": row for s, table in description["evidence"].items() for label, row in table.items()}
    if not lines:
        return "Every row has a label of ours: its evidence is one-hot."
    table = pd.DataFrame.from_dict(lines, orient="index", columns=list(LABELS))
    table.index.name = "source label"
    return (
        "P(source label | class), measured on training rows that carry both labels and re-weighted to the corpus's own "
        "shares; rows with a label of ours have one-hot evidence instead.\n\n" + _table(table)
    )


def _phrases(rows: pd.DataFrame, words: int = 6, shown: int = 8) -> str:
    """Runs of words that recur most: text by a language model likes to repeat its frames."""
    documents: dict[str, set[str]] = {}
    for row in rows.itertuples():
        tokens = re.findall(r"[\w’']+", str(row.text).lower())
        for start in range(len(tokens) - words + 1):
            documents.setdefault(" ".join(tokens[start : start + words]), set()).add(str(row.document))
    if not documents:
        return "No documents."
    ranked = sorted(documents.items(), key=lambda item: (-len(item[1]), item[0]))[:shown]
    table = pd.DataFrame({"documents": [len(names) for _, names in ranked]}, index=[phrase for phrase, _ in ranked])
    table.index.name = f"{words} words"
    return _table(table)


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
