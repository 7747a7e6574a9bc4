"""UDS-IH2, judgements by people of whether what a sentence tells of happened."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from claimkind.dataset.annotations import read_jsonl
from claimkind.dataset.sources.base import CorpusFile, fetch
from claimkind.errors import ClaimkindError

_SETTLED, _UNSETTLED = 2.0, 1.0
_HIGHEST = 3.0


@dataclass(frozen=True)
class UdsFactuality:
    """Sentences whose predicates people judged from -3, did not happen, to 3, happened (Rudinger et al. 2018).

    A sentence is `settled` if every judgement is above 2 or below -2, and `unsettled` if one is from -1 to 1; others
    have no label.
    """

    files: dict[str, str]
    """See `fetch`, also for `folder` and `url`."""
    folder: str
    url: str
    always_test: list[str]
    """Files, without their ending, whose rows are test rows."""

    def read(self, name: str) -> pd.DataFrame:
        """Read all sentences: `id`, `text`, `source_label`, `certainty` and `pinned`.

        `certainty` is the smallest absolute judgement of a sentence, from 0 to 3.

        Raises:
            ClaimkindError: a line has no text or no judgements from -3 to 3.
        """
        parts = fetch(self.files, self.folder, self.url)
        rows = pd.DataFrame(
            [{**row, "pinned": file.part in self.always_test} for file in parts for row in _rows(file, name)]
        )
        labels = np.select(
            [rows["certainty"] > _SETTLED, rows["certainty"] <= _UNSETTLED], ["settled", "unsettled"], default=""
        )
        return rows.assign(source_label=pd.Series(labels, dtype=object).replace("", None))


def _rows(file: CorpusFile, name: str) -> Iterator[dict[str, Any]]:
    for number, (place, row) in enumerate(read_jsonl(file.path)):
        try:
            text, judgements = str(row["text"]), [abs(float(target["label"])) for target in row["targets"]]
        except (KeyError, TypeError, ValueError):
            judgements = []
        if not judgements or max(judgements) > _HIGHEST:
            raise ClaimkindError(f"{place} has no judgements from -3 to 3, expected a sentence of UDS-IH2: check it")
        yield {"id": f"{name}:{file.part}:{number}", "text": text, "certainty": min(judgements)}
