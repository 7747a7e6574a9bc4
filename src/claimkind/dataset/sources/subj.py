"""Pang and Lee's subjectivity sentences."""

import pandas as pd

from claimkind.dataset.sources.base import fetch
from claimkind.errors import ClaimkindError

_SUBJ_LABELS = {"0": "subjective", "1": "objective"}


class Subj:
    """Pang and Lee's subjectivity sentences, for a benchmark only: a label, a blank and the sentence on each line."""

    def __init__(self, files: dict[str, str], folder: str, url: str) -> None:
        """Settings; see `fetch`."""
        self.files, self.folder, self.url = files, folder, url

    def read(self, name: str) -> pd.DataFrame:
        """Read all sentences: `text` and `source_label`.

        Raises:
            ClaimkindError: a line does not begin with one of the two labels.
        """
        rows = []
        for file in fetch(self.files, self.folder, self.url):
            for number, line in enumerate(file.path.read_text(encoding="latin-1").rstrip("\n").split("\n")):
                label, _, text = line.partition(" ")
                if label not in _SUBJ_LABELS:
                    raise ClaimkindError(f"{file.path}:{number + 1} begins with {label!r}, expected 0 or 1: check it")
                rows.append({"id": f"{name}:{number}", "text": text.strip(), "source_label": _SUBJ_LABELS[label]})
        return pd.DataFrame(rows)
