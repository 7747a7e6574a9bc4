"""Contrast pairs: natural sentences, each with a small edit that changes its label (Gardner et al. 2020)."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pandas as pd

from claimkind.dataset.annotations import read_jsonl, to_annotation
from claimkind.dataset.rows import text_sha
from claimkind.errors import ClaimkindError


@dataclass(frozen=True)
class ContrastPairs:
    """Pairs in a file of JSON lines, one line for each side of a pair."""

    pairs: str
    """The file."""
    licence: str
    """Of all sentences."""
    provenance: str = ""
    """See `Source.provenance`."""

    citation: ClassVar[str] = ""
    evidence: ClassVar[None] = None

    def read(self, name: str) -> pd.DataFrame:
        """Read both sides of every pair; see `Source.read`. A group is a pair; the genre is the kind of edit.

        Raises:
            ClaimkindError: the file is empty, a line is not as expected, or a pair does not have two sides with
                different labels.
        """
        sides = [_read_side(place, row) for place, row in read_jsonl(Path(self.pairs))]
        if not sides:
            raise ClaimkindError(f"{self.pairs} is empty, expected contrast pairs: check the path")
        pairs = pd.DataFrame(sides)
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


def _read_side(place: str, row: dict) -> dict:
    annotation = to_annotation(place, row, "pair", "side", "kind", "text")
    if annotation.sha != text_sha(row["text"]):
        raise ClaimkindError(f"{place}: the sentence was edited after it was labelled, its sha differs: label it again")
    return {**row, "votes": annotation.votes, "rule": annotation.rule, "place": place}


def _check_sides(pairs: pd.DataFrame) -> None:
    for pair, sides in pairs.groupby("pair", sort=False):
        if len(sides) != 2 or sides["label"].nunique() != 2:
            raise ClaimkindError(
                f"{sides['place'].iloc[0]}: the pair {pair!r} has {len(sides)} sides labelled "
                f"{', '.join(sides['label'])}, expected two sides with different labels: correct or remove it"
            )
