"""The summary of a scoring run: counts, speed, memory, and the difference from the model's test set."""

import multiprocessing
import os
import re
import resource
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np
import pandas as pd

from claimkind.io.files import kinds_in_words
from claimkind.io.rows import Rejected
from claimkind.labels import LABELS, UNDECIDED

_EDGES = np.linspace(0, 1, 11)
_NAMED = 3  # reasons, or files, that the summary names
_NAMED_IN_REPORT = 200
_FEWEST = 100  # rows from which on their shares are compared with those of the test set


class Reference(TypedDict):
    """What a model predicted for its test sentences."""

    shares: dict[str, float]
    """Share of each label."""
    confidences: list[float]
    """Share of the sentences in each tenth of the confidence, from 0 to 1."""


def reference_of(labels: Sequence[str], confidences: np.ndarray) -> Reference:
    """Summarise the labels and confidences (n,) that a model predicted."""
    counts, _ = np.histogram(confidences, _EDGES)
    shares = pd.Series(labels).value_counts(normalize=True)
    return {
        "shares": {label: round(float(shares.get(label, 0)), 4) for label in (*LABELS, UNDECIDED)},
        "confidences": [round(float(count) / max(len(confidences), 1), 4) for count in counts],
    }


class Summary:
    """Counts that grow while scoring goes on."""

    def __init__(
        self, output: Path, rejected_path: Path, reference: Reference | None = None, *, unit: str = "row"
    ) -> None:
        """Begin.

        Args:
            output: the file that is written.
            rejected_path: the file that names the rejected rows.
            reference: what the model predicted for its test sentences, if that is known.
            unit: what is labelled, `row` or `sentence`.
        """
        self.output, self.rejected_path, self.reference, self.unit = output, rejected_path, reference, unit
        self.labels: Counter[str] = Counter()
        self.others: Counter[str] = Counter()
        """By kind, the number of passages that are no sentences."""
        self.confidences = np.zeros(len(_EDGES) - 1)
        self.rejected = self.windowed = self.characters = 0
        self.resumed = 0
        """Rows that an earlier run scored."""
        self.reasons: Counter[str] = Counter()
        """Why rows were rejected."""
        self.unread: dict[str, str] = {}
        """By the name of each file that was not read, or not to its end: why."""
        self.joined: Counter[str] = Counter()
        """By file, the number of documents of which line breaks are read as blanks."""
        self.skipped: Mapping[str, int] = {}
        """How many files are of a kind that is not read, by kind."""
        self._peak = peak_mib()
        self._start = time.perf_counter()

    def add(
        self, rows: pd.DataFrame, rejected: Sequence[Rejected], is_sentence: np.ndarray, *, resumed: bool = False
    ) -> None:
        """Count the rows of a part.

        Args:
            rows: scored.
            rejected: those that could not be.
            is_sentence: which rows are sentences (n,); of the others, only the number is counted.
            resumed: whether an earlier run scored them.
        """
        self.others.update(rows["kind"][~is_sentence] if not is_sentence.all() else ())
        rows = rows[is_sentence]
        self.rejected += len(rejected)
        self.reasons.update(entry.reason for entry in rejected if entry.row is not None)
        self.unread |= {entry.file: entry.reason for entry in rejected if entry.row is None}
        self.resumed += len(rows) * resumed
        self._peak = self.peak  # workers count only while they run
        if len(rows):
            self.labels.update(rows["label"])
            self.confidences += np.histogram(rows["confidence"], _EDGES)[0]
            self.windowed += int((rows["windows"] > 1).sum())
            self.characters += sum(map(len, rows["text"]))

    @property
    def peak(self) -> float:
        """Highest memory so far of the process and its workers, in MiB."""
        return max(self._peak, peak_mib())

    @property
    def rows(self) -> int:
        """The number of rows that were scored."""
        return self.labels.total()

    def text(self) -> str:
        """The summary in words."""
        seconds = time.perf_counter() - self._start
        speed = (self.rows - self.resumed) / max(seconds, 1e-9)
        lines = [
            f"{self.output}: {counted(self.rows, self.unit)}, {counts_in_words(self.labels)}",
            f"{seconds:,.1f} s, {speed:,.0f} {self.unit}s/s, peak memory {self.peak:,.0f} MiB",
        ]
        if self.resumed:
            lines.append(f"{self.resumed:,} of them were labelled by an earlier run")
        if self.others:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in self.others.most_common())
            lines.append(f"not counted, since they are not sentences: {kinds}")
        if self.windowed:
            lines.append(f"{self.windowed:,} longer than the model's window, read in several (column windows)")
        if self.joined:
            lines.append(self._line_breaks())
        if self.reasons:
            rejected = counted(self.reasons.total(), "row")
            lines.append(f"{rejected} rejected ({self._reasons()}), see {self.rejected_path}")
        return "\n".join([*lines, *(f"not read: {line}" for line in self._not_read()), *self._drift()])

    def _line_breaks(self) -> str:
        names = ", ".join([*list(self.joined)[:_NAMED], *(["others"] if len(self.joined) > _NAMED else [])])
        count = self.joined.total()
        documents = "1 hard-wrapped document" if count == 1 else f"{count:,} hard-wrapped documents"
        return f"line breaks within paragraphs read as blanks in {documents} ({names}); line_breaks=keep keeps them"

    def problems(self) -> str:
        """Why rows were rejected and files were not read, in one line."""
        return "; ".join(filter(None, [self._reasons(), *self._not_read()]))

    def problem_list(self) -> list[str]:
        """The same for the report, with more of the files."""
        rows = [f"{counted(count, 'row')}: {reason}" for reason, count in self.reasons.most_common(_NAMED_IN_REPORT)]
        return [*self._not_read(_NAMED_IN_REPORT), *rows]

    def _reasons(self) -> str:
        """The most frequent reasons, with the number of rows where there are several."""
        if len(self.reasons) <= 1:
            return "".join(self.reasons)
        named = [f"{count:,} {reason}" for reason, count in self.reasons.most_common(_NAMED)]
        return "; ".join([*named, *(["others"] if len(self.reasons) > _NAMED else [])])

    def _not_read(self, most: int = _NAMED) -> list[str]:
        lines = [f"{name} {reason}" for name, reason in list(self.unread.items())[:most]]
        if len(self.unread) > most:
            lines.append(f"{len(self.unread) - most:,} other files, see {self.rejected_path}")
        if self.skipped:
            lines.append(f"files of other kinds, {kinds_in_words(self.skipped)}")
        return lines

    def _drift(self) -> list[str]:
        """How much the labels differ from those of the model's test set: total variation distances, in points."""
        if self.reference is None or self.rows < _FEWEST:
            return []
        here = {label: self.labels[label] / self.rows for label in (*LABELS, UNDECIDED)}
        test = self.reference["shares"]
        shares = "; ".join(f"{here[label]:.0%} {label} here, {test[label]:.0%} there" for label in LABELS)
        labels = sum(abs(here[label] - test[label]) for label in test) / 2
        confidences = np.abs(self.confidences / self.rows - np.array(self.reference["confidences"])).sum() / 2
        return [
            f"label shares differ from the model's test set by {100 * labels:.0f} points ({shares}), "
            f"confidences by {100 * confidences:.0f} points"
        ]


def counted(count: int, noun: str) -> str:
    """A number with its noun in the singular or plural, as in `1 row`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def counts_in_words(counts: Mapping[str, int]) -> str:
    """The number of rows of each label; `undecided` only where there are some."""
    return ", ".join(
        f"{counts.get(label, 0):,} {label}" for label in (*LABELS, UNDECIDED) if label in LABELS or counts.get(label)
    )


def peak_mib() -> float:
    """Highest memory of this process and of its present workers, in MiB."""
    pids = [os.getpid(), *(worker.pid for worker in multiprocessing.active_children())]
    if sys.platform == "linux":
        return sum(map(_high_water_mib, pids))
    # In bytes on macOS, where children that have ended count too.
    return sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 2**20


def _high_water_mib(pid: int | None) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:  # it has ended
        return 0.0
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0
