"""The report: one self-contained HTML page on which every sentence shows its label."""

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from jinja2 import Environment, FileSystemLoader
from tqdm import tqdm

from claimkind.labels import LABELS, PROBABILITY_COLUMNS, UNDECIDED
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
_FOLDER = Path(__file__).parent


class About(NamedTuple):
    """What a page says about the scoring run."""

    model: str
    """URI of the model."""
    version: str
    """Of claimkind."""
    date: str
    """The day, as in 2026-01-31."""
    labels: Mapping[str, int]
    """Number of rows of each label, those beyond the page included."""
    problems: Sequence[str] = ()
    """Files and rows that were not read or rejected, with the reason."""


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
        return name if total <= self._limit else f"{name}: the first {self._limit:,} of {total:,} rows"


def write_report(
    path: Path,
    scored: pd.DataFrame,
    title: str,
    *,
    explained_by: Predictor | None = None,
    about: About | None = None,
) -> None:
    """Write the page.

    Args:
        path: the file, replaced if it exists.
        scored: rows of the scoring engine, of documents or of single sentences; a column `kind` tells which of them are
            sentences, without one all are.
        title: the page's heading.
        explained_by: the model, if the page is to mark the words that its labels depend on.
        about: the scoring run; without it, the page counts the labels that it shows.
    """
    scored = scored if "kind" in scored else scored.assign(kind=SENTENCE)
    counts = about.labels if about else _count_labels(scored[scored["kind"] == SENTENCE])
    shown = [label for label in (*LABELS, UNDECIDED) if label in LABELS or counts.get(label)]
    documents = [_describe(name, rows) for name, rows in _documents(_with_words(scored, explained_by), title)]
    script = (_FOLDER / "report.js").read_text(encoding="utf-8")
    # Everything is escaped, and the policy of the page lets no script run but its own: a document must not be able to
    # run anything in the reader's browser.
    environment = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, trim_blocks=True)
    page = environment.get_template("report.html").render(
        title=title,
        about=about,
        total=_totals(counts, _unit(scored, sum(counts.values()))),
        shown=shown,
        legend=[{"label": label, "meaning": _MEANINGS[label]} for label in shown],
        documents=documents,
        explained=explained_by is not None,
        has_others=bool((scored["kind"] != SENTENCE).any()),
        script=script,
        script_hash=f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}",
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as draft:
        draft.write_text(page, encoding="utf-8")


def _count_labels(rows: pd.DataFrame) -> Counter[str]:
    return Counter(rows["label"].dropna())


def _totals(counts: Mapping[str, int], unit: str) -> dict[str, Any]:
    """The number of rows, and the share of each label as text and as a width in percent."""
    total = sum(counts.values())
    shares = [(label, counts.get(label, 0), 100 * counts.get(label, 0) / max(total, 1)) for label in _MEANINGS]
    return {
        "sentences": total,
        "unit": unit,
        "shares": [
            {"label": label, "count": count, "percent": f"{share:.0f}%", "width": f"{share:.2f}"}
            for label, count, share in shares
        ],
    }


def _unit(rows: pd.DataFrame, count: int) -> str:
    """What is counted: sentences of documents, or rows of a table."""
    noun = "sentence" if "document" in rows and rows["document"].map(_has_value).any() else "row"
    return noun if count == 1 else f"{noun}s"


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
    """A text in pieces, of which the words that change the label's probability most are marked, one at least."""
    strongest = max(words, key=lambda word: (text[word.start].isalnum(), abs(word.weight)), default=None)
    pieces: list[dict[str, Any]] = []
    end = 0
    for word in words:
        if abs(word.weight) >= _SHOWN_FROM or word is strongest:
            pieces += [{"text": text[end : word.start]}, _marked(text, word)]
            end = word.end
    return [*pieces, {"text": text[end:]}]


def _marked(text: str, word: Word) -> dict[str, Any]:
    points = abs(100 * word.weight)
    change = f"{points:.0f} points {'less' if word.weight >= 0 else 'more'}"
    return {
        "text": text[word.start : word.end],
        "kind": "for" if word.weight >= 0 else "against",
        "note": f"{change if points >= 1 else 'changes by less than one point'} without it",
    }


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
    return {
        "name": name,
        **_totals(_count_labels(sentences), _unit(rows, len(sentences))),
        "paragraphs": [_passages(part) for _, part in rows.groupby("paragraph", sort=False)],
    }


def _passages(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "pieces": row["pieces"],
            "kind": row["kind"],
            "note": _note(row),
            **(_labelled(row) if _has_value(row["label"]) else {}),
        }
        for row in rows.to_dict("records")
    ]


def _note(row: Mapping[Any, Any]) -> str:
    """What a row's tooltip says: its kind, its probabilities, and its id."""
    parts = [row["kind"]] if row["kind"] != SENTENCE else []
    if _has_value(row["label"]):
        parts.append(", ".join(f"{name[2:]} {row[name]:.2f}" for name in PROBABILITY_COLUMNS))
    if _has_value(row.get("id")):
        parts.append(f"id {row['id']}")
    return " · ".join(parts)


def _labelled(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "label": row["label"],
        "confidence": row["confidence"],
        # From nearly white at one in three to full at certainty.
        "shade": round(0.06 + 0.30 * max(0.0, (row["confidence"] - 1 / 3) * 1.5), 3),
    }
