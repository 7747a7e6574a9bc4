"""Pang and Lee's subjectivity sentences (2004)."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from claimkind.dataset.sources.base import CorpusFile, fetch
from claimkind.errors import ClaimkindError

_LABELS = {"0": "subjective", "1": "objective"}


@dataclass(frozen=True)
class Subj:
    """The sentences, for evaluation only. Each line holds a label, a blank and a sentence in Latin-1."""

    files: dict[str, str]
    """See `fetch`, also for `folder` and `url`."""
    folder: str
    url: str

    def read(self, name: str) -> pd.DataFrame:
        """Read all sentences: `id`, `text` and `source_label`.

        Raises:
            ClaimkindError: a line does not begin with one of the two labels.
        """
        return pd.DataFrame([row for file in fetch(self.files, self.folder, self.url) for row in _rows(file, name)])


def _rows(file: CorpusFile, name: str) -> Iterator[dict[str, str]]:
    # Not `splitlines`: sentences hold characters that it takes for line ends.
    for number, line in enumerate(file.path.read_text(encoding="latin-1").rstrip("\n").split("\n")):
        label, _, text = line.partition(" ")
        if label not in _LABELS:
            raise ClaimkindError(f"{file.path}:{number + 1} begins with {label!r}, expected 0 or 1: check it")
        yield {"id": f"{name}:{number}", "text": text.strip(), "source_label": _LABELS[label]}
