"""The report: one self-contained HTML page on which every sentence shows its label."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader
from tqdm import tqdm

from claimkind.labels import LABEL_COLOURS, LABELS, PROBABILITY_COLUMNS, UNDECIDED
from claimkind.manifest import atomic_write
from claimkind.models.attribution import Word, attribute_words
from claimkind.models.base import Predictor
from claimkind.text.blocks import SENTENCE

_MEANINGS = {
    "factual": "presented as settled and checkable",
    "speculative": "possible, predicted, alleged or in question",
    "opinion": "a judgement, a feeling or advice of the writer",
    UNDECIDED: "the model is not sure enough to say",
}
_SHOWN_FROM = 0.05  # change of the probability from which on a word is marked
_MOST_SENTENCES = 20_000  # browsers show longer pages badly, and memory must not grow with the input
_COLOURS = {**LABEL_COLOURS, UNDECIDED: "#555555"}


class ReportRows:
    """The first rows of an output, up to what a page can show."""

    def __init__(self, limit: int = _MOST_SENTENCES, *, split: bool = True) -> None:
        """Begin with none.

        Args:
            limit: how many are kept at most.
            split: whether the column `kind` tells which of them are sentences; otherwise it is the input's own.
        """
        self._limit, self._split = limit, split
        self._kept: list[pd.DataFrame] = []

    def add(self, rows: pd.DataFrame) -> None:
        """Keep rows while there is room for them."""
        room = self._limit - sum(map(len, self._kept))
        if room > 0:
            self._kept.append(rows[:room])

    @property
    def rows(self) -> pd.DataFrame:
        """The rows that are kept."""
        rows = pd.concat(self._kept, ignore_index=True)
        return rows if self._split else rows.drop(columns="kind", errors="ignore")

    def title(self, name: str, total: int) -> str:
        """The heading of a page for an input, which tells where the page does not show all of its `total` rows."""
        return name if total <= self._limit else f"{name}: the first {self._limit:,} of {total:,} sentences"


def write_report(path: Path, scored: pd.DataFrame, title: str, explained_by: Predictor | None = None) -> None:
    """Write the page.

    Args:
        path: the file, replaced if it exists.
        scored: rows of the scoring engine, of documents or of single sentences; a column `kind` tells which of them are
            sentences, without one all are.
        title: the page's heading.
        explained_by: the model, if the page is to mark the words that its labels depend on.
    """
    # Everything is escaped: a document must not be able to run anything in the reader's browser.
    scored = scored if "kind" in scored else scored.assign(kind=SENTENCE)
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True)
    page = environment.get_template("report.html").render(
        title=title,
        legend=[
            {"label": label, "meaning": _MEANINGS[label], "colour": _COLOURS[label]}
            for label in (*LABELS, UNDECIDED)
            if label in LABELS or (scored["label"] == label).any()
        ],
        documents=[_describe(name, rows) for name, rows in _documents(_with_words(scored, explained_by), title)],
        explained=explained_by is not None,
        has_others=bool((scored["kind"] != SENTENCE).any()),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as draft:
        draft.write_text(page, encoding="utf-8")


def _with_words(scored: pd.DataFrame, classifier: Predictor | None) -> pd.DataFrame:
    """Add a column `pieces`: words that speak for the label, words that speak against it, and the text between them."""
    if classifier is None:
        pieces = ([{"text": text}] for text in scored["text"])
    else:
        texts = tqdm(scored["text"], desc="explaining", unit=" sentences", delay=2)
        labels = zip(texts, scored["label"], strict=True)
        pieces = (
            _pieces(text, attribute_words(classifier, text) if _has_value(label) else []) for text, label in labels
        )
    return scored.assign(pieces=pd.Series(pieces, index=scored.index, dtype=object))


def _pieces(text: str, words: Sequence[Word]) -> list[dict[str, Any]]:
    pieces: list[dict[str, Any]] = []
    end = 0
    for word in words:
        if abs(word.weight) >= _SHOWN_FROM:
            kind = "for" if word.weight > 0 else "against"
            change = f"{abs(100 * word.weight):.0f} points {'less' if word.weight > 0 else 'more'} without it"
            pieces += [
                {"text": text[end : word.start]},
                {"text": text[word.start : word.end], "kind": kind, "note": change},
            ]
            end = word.end
    return [*pieces, {"text": text[end:]}]


def _documents(scored: pd.DataFrame, title: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Documents in the order of the input; single sentences form one, each a paragraph of its own."""
    places = scored.reindex(columns=["document", "paragraph"]).astype(object)
    alone = ~places.map(_has_value).all(axis=1)
    places.loc[alone, "document"] = title
    places.loc[alone, "paragraph"] = scored.index[alone]
    for name, rows in scored.assign(**places).groupby("document", sort=False):
        yield str(name), rows


def _has_value(cell: Any) -> bool:
    """Whether a cell holds text or a number."""
    return isinstance(cell, str | int | float) and cell != "" and cell == cell


def _describe(name: str, rows: pd.DataFrame) -> dict[str, Any]:
    sentences = rows[rows["kind"] == SENTENCE]
    shares = sentences["label"].value_counts(normalize=True)
    return {
        "name": name,
        "sentences": len(sentences),
        "shares": [{"label": label, "share": float(shares.get(label, 0.0))} for label in (*LABELS, UNDECIDED)],
        "paragraphs": [_passages(part) for _, part in rows.groupby("paragraph", sort=False)],
    }


def _passages(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {"pieces": row["pieces"], "kind": row["kind"], **(_labelled(row) if _has_value(row["label"]) else {})}
        for row in rows.to_dict("records")
    ]


def _labelled(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "label": row["label"],
        "confidence": row["confidence"],
        # From nearly white at one in three to full at certainty.
        "shade": round(0.06 + 0.30 * max(0.0, (row["confidence"] - 1 / 3) * 1.5), 3),
        "note": ", ".join(f"{name[2:]} {row[name]:.2f}" for name in PROBABILITY_COLUMNS),
    }
