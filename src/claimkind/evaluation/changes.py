"""What changes between two models: the sentences that one of them labels right and the other does not."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from claimkind.evaluation.run_tables import slices_in_words
from claimkind.evaluation.slices import slices_of
from claimkind.labels import LABELS, label_indices

GAINED, LOST = "gained", "lost"
_SHOWN = 10
_MOST_SLICES = 5
_WIDTH = 110


class Changes(NamedTuple):
    """The sentences that are gained and lost by going from one model to another."""

    new: str
    old: str
    """Names of the models."""
    rows: pd.DataFrame
    """A row for each sentence that changes, the largest change first: `change` (`gained` or `lost`), `text`, `label`,
    `new` and `old` (the labels that they predict), `probability` (that of the right label by `new` less that by
    `old`), `source`, `slices` and `id`."""
    counts: pd.DataFrame
    """`by` (`all`, `class`, `source` or `slice`), `name`, `sentences`, `gained`, `lost` and `net`."""

    def count(self, change: str) -> int:
        """The number of sentences that are gained or lost."""
        return int((self.rows["change"] == change).sum())

    def summary(self) -> str:
        """How many sentences are gained and lost."""
        return f"{self.new} against {self.old}: {self.count(GAINED)} sentences gained, {self.count(LOST)} lost"

    def text(self) -> str:
        """The numbers by class and by the slices that change most, and ten sentences of each kind."""
        by_class = _in_words(self.counts[self.counts["by"] == "class"])
        return "\n".join([self.summary(), f"  by class: {by_class}", *self._by_slice(), *self._examples()])

    def _by_slice(self) -> list[str]:
        slices = self.counts[self.counts["by"] == "slice"]
        most = slices.reindex(slices["net"].abs().sort_values(ascending=False, kind="stable").index)[:_MOST_SLICES]
        return [f"  by wording: {_in_words(most)}"] if len(most) else []

    def _examples(self) -> list[str]:
        lines = []
        for change in (GAINED, LOST):
            rows = self.rows[self.rows["change"] == change][:_SHOWN]
            lines += [f"{change}:"] if len(rows) else []
            wrong = rows["old" if change == GAINED else "new"]
            columns = rows["label"], wrong, rows["text"]
            lines += [f"  {label} (not {other}): {_clipped(text)}" for label, other, text in zip(*columns, strict=True)]
        return lines


def changes_between(rows: pd.DataFrame, new: tuple[str, np.ndarray], old: tuple[str, np.ndarray]) -> Changes:
    """Find the sentences that are gained and lost by going from one model to another.

    Args:
        rows: n sentences with `id`, `label` and `source`, and with `text` where it is known.
        new: name of a model, and its probabilities, (n, 3).
        old: the same of the other one.
    """
    truth = label_indices(rows["label"].tolist())
    labels = {"new": new[1].argmax(axis=1), "old": old[1].argmax(axis=1)}
    gained = (labels["new"] == truth) & (labels["old"] != truth)
    lost = (labels["old"] == truth) & (labels["new"] != truth)
    own = np.arange(len(rows)), truth
    texts = rows["text"].tolist() if "text" in rows else [""] * len(rows)
    table = pd.DataFrame(
        {
            "change": np.where(gained, GAINED, LOST),
            "text": [text or f"(id {key})" for text, key in zip(texts, rows["id"], strict=True)],
            "label": rows["label"].to_numpy(),
            **{name: np.array(LABELS)[found] for name, found in labels.items()},
            "probability": (new[1][own] - old[1][own]).round(3),
            "source": rows["source"].to_numpy(),
            "slices": slices_in_words(texts),
            "id": rows["id"].to_numpy(),
        }
    )[gained | lost]
    order = table["probability"].abs().sort_values(ascending=False, kind="stable").index
    return Changes(new[0], old[0], table.loc[order], _counts(_groups(rows, texts), gained, lost))


def _groups(rows: pd.DataFrame, texts: Sequence[str]) -> dict[str, dict[str, np.ndarray]]:
    """Masks, (n,) bool, of the sentences of each class, source and slice of wording."""
    columns = {"class": rows["label"], "source": rows["source"]}
    by_value = {
        by: {str(value): (column == value).to_numpy() for value in sorted(set(column))}
        for by, column in columns.items()
    }
    return {"all": {"all": np.ones(len(rows), dtype=bool)}, **by_value, "slice": slices_of(texts) if any(texts) else {}}


def _counts(groups: Mapping[str, Mapping[str, np.ndarray]], gained: np.ndarray, lost: np.ndarray) -> pd.DataFrame:
    rows = [
        (by, name, int(mask.sum()), int((mask & gained).sum()), int((mask & lost).sum()))
        for by, masks in groups.items()
        for name, mask in masks.items()
        if mask.any()
    ]
    table = pd.DataFrame(rows, columns=["by", "name", "sentences", GAINED, LOST])
    return table.assign(net=table[GAINED] - table[LOST])


def _in_words(counts: pd.DataFrame) -> str:
    columns = (counts[column] for column in ("name", GAINED, LOST))
    return ", ".join(f"{name} +{gained} -{lost}" for name, gained, lost in zip(*columns, strict=True))


def _clipped(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
