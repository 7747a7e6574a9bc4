"""Contrast pairs: natural sentences and one small edit of each that changes its label."""

from pathlib import Path

import pandas as pd

from claimkind.dataset.annotations import read_jsonl, to_annotation
from claimkind.dataset.rows import text_sha
from claimkind.errors import ClaimkindError


class ContrastPairs:
    """The pairs in a file of JSON lines, in the manner of Gardner et al. (2020). A pair is a group."""

    def __init__(self, pairs: str, licence: str) -> None:
        """Settings: the file, and the licence of its sentences."""
        self.pairs, self.licence, self.citation = Path(pairs), licence, ""
        self.evidence: dict[str, list[str]] = {}

    def read(self, name: str) -> pd.DataFrame:
        """Read both sides of every pair; see `Source.read`. The genre is the kind of edit.

        Raises:
            ClaimkindError: a line is not as it should be, or a pair has not two sides with different labels.
        """
        rows = []
        for place, row in read_jsonl(self.pairs):
            annotation = to_annotation(place, row, "pair", "side", "kind", "text")
            if annotation.sha != text_sha(row["text"]):
                raise ClaimkindError(f"{place}: the label was made for other words, its sha differs: label it anew")
            rows.append({**row, "rule": annotation.rule, "place": place})
        pairs = pd.DataFrame(rows)
        _check_sides(pairs)
        return pd.DataFrame(
            {
                "id": f"{name}:" + pairs["pair"] + ":" + pairs["side"],
                "text": pairs["text"],
                "label": pairs["label"],
                "votes": pairs["votes"],
                "rule": pairs["rule"],
                "genre": f"{name}: " + pairs["kind"],
                "pair": pairs["pair"],
                "group": f"{name}:" + pairs["pair"],
                "licence": self.licence,
            }
        )


def _check_sides(pairs: pd.DataFrame) -> None:
    for pair, sides in pairs.groupby("pair", sort=False):
        if len(sides) != 2 or sides["label"].nunique() != 2:
            raise ClaimkindError(
                f"{sides['place'].iloc[0]}: the pair {pair!r} has {len(sides)} sides labelled "
                f"{', '.join(sides['label'])}, expected two sides with different labels: mend or remove it"
            )
