"""The data card: what a dataset holds, where it comes from, how reliable its labels are."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.metrics import cohen_kappa_score

from claimkind.labels import LABELS


def write_card(path: Path, description: Mapping[str, Any], splits: Mapping[str, pd.DataFrame]) -> None:
    """Write the card of a dataset in the form of Hugging Face's dataset cards.

    A section is left out where the dataset has nothing for it, so that the card claims only what is true of it.

    Args:
        path: the file to write.
        description: content of the dataset's manifest.
        splits: rows of each split.
    """
    rows = pd.concat([part.assign(split=name) for name, part in splits.items()], ignore_index=True)
    sections = {
        "Counts": "\n\n".join(_counts(rows, column) for column in ("split", "source", "genre")),
        "Where it comes from": _origins(description),
        "Agreement of the first two votes": _agreement(rows),
        "Agreement with the labels of the sources": _agreement_with_sources(rows),
        "Evidence": _evidence(description, rows),
        "Rules that decided": _rules(rows),
        "Most frequent phrases of the documents": _phrases(rows[rows["start"].notna()]),
        "Licences": _counts(rows, "licence"),
        "Duplicates and splits": _splitting(description),
    }
    body = [f"## {title}\n\n{text}" for title, text in sections.items() if text]
    path.write_text(
        "\n\n".join([_front_matter(description, rows), _summary(description), *body]) + "\n", encoding="utf-8"
    )


def _summary(description: Mapping[str, Any]) -> str:
    built = f"Built by `{description['command']}`; fingerprint" if description["command"] else "Fingerprint"
    return f"# {description['name']}\n\nSentences labelled {', '.join(LABELS)}. {built} `{description['fingerprint']}`."


def _origins(description: Mapping[str, Any]) -> str:
    """What each source states about itself."""
    stated = [
        (name, description["provenance"].get(name, ""), description["citations"].get(name, ""))
        for name in description["settings"]["sources"]
    ]
    return "\n".join(
        f"- `{name}`: {' '.join(filter(None, texts)) or 'nothing is stated in its configuration.'}"
        for name, *texts in stated
    )


def _splitting(description: Mapping[str, Any]) -> str:
    settings = description["settings"]
    return (
        f"{description['duplicates_removed']:,} duplicates were removed (ignoring case and the style of quotation "
        f"marks, dashes and blanks; a sentence with a label wins, then the order of the sources); "
        f"{description['sentences_labelled_differently']:,} sentences had two different labels. "
        f"{description['near_duplicate_pairs']:,} pairs of near-duplicates (Jaccard similarity of character 5-grams of "
        f"at least {settings['near_duplicate_threshold']}) were put in one group. "
        f"{description['left_out_by_licence_or_without_any_label']:,} rows were left out for their licence or because "
        "they have no label. "
        f"{description['corrected_labels']:,} labels were replaced by corrections files.\n\n"
        "The split is by group: a document, an article, or a single sentence where the source states no groups. "
        f"Validation and test hold only sentences with one of the labels {', '.join(LABELS)}. Documents that are "
        "always in the test split: "
        f"{', '.join(settings['always_test']) or 'none'}."
    )


def _agreement_with_sources(rows: pd.DataFrame) -> str:
    """How stand-off labels are distributed within each source label.

    Only rows with votes count: without votes, the label is the source label itself under another name.
    """
    both = rows[rows["label"].notna() & rows["source_label"].notna() & rows["votes"].notna()]
    if both.empty:
        return ""
    table = pd.crosstab(both["source"] + ": " + both["source_label"], both["label"])
    shares = table.div(table.sum(axis=1), axis=0).reindex(columns=list(LABELS), fill_value=0.0)
    shares.index.name = "source label"
    intro = "Shares of the three labels among the sentences with each label that a source already had."
    return intro + "\n\n" + _table(shares.assign(sentences=table.sum(axis=1)))


def _evidence(description: Mapping[str, Any], rows: pd.DataFrame) -> str:
    """The likelihoods of the sources that have rows without a label, which alone use them."""
    used = set(rows.loc[rows["label"].isna(), "source"])
    measured = {name: table for name, table in description["evidence"].items() if name in used}
    lines = {f"{name}: {label}": row for name, table in measured.items() for label, row in table.items()}
    if not lines:
        return ""
    table = pd.DataFrame.from_dict(lines, orient="index", columns=list(LABELS))
    table.index.name = "source label"
    return (
        "P(source label | class), measured on training rows that have both labels and re-weighted to the shares of the "
        "source labels in the whole source. Rows with a label have one-hot evidence instead.\n\n" + _table(table)
    )


def _rules(rows: pd.DataFrame) -> str:
    """Counts of the rules of the annotation guide by label."""
    return _table(pd.crosstab(rows["rule"], rows["label"])) if rows["rule"].notna().any() else ""


def _phrases(rows: pd.DataFrame, words: int = 6, shown: int = 8) -> str:
    """Word n-grams that occur in most documents: generated text tends to repeat its phrases."""
    documents: dict[str, set[str]] = {}
    for row in rows.itertuples():
        tokens = re.findall(r"[\w’']+", str(row.text).lower())
        for start in range(len(tokens) - words + 1):
            documents.setdefault(" ".join(tokens[start : start + words]), set()).add(str(row.document))
    if not documents:
        return ""
    ranked = sorted(documents.items(), key=lambda item: (-len(item[1]), item[0]))[:shown]
    table = pd.DataFrame({"documents": [len(names) for _, names in ranked]}, index=[phrase for phrase, _ in ranked])
    table.index.name = f"{words} words"
    return _table(table)


def _front_matter(description: Mapping[str, Any], rows: pd.DataFrame) -> str:
    files = "\n".join(f"      - split: {name}\n        path: {name}.parquet" for name in description["rows"])
    return (
        f"---\npretty_name: claimkind {description['name']}\nlicense: other\n"
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
        return ""
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
