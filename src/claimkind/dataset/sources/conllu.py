"""Sentences of treebanks in CoNLL-U (https://universaldependencies.org/format.html)."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from claimkind.dataset.sources.base import label_corpus

_COMMENT = re.compile(r"^# (sent_id|text) = (.*)$", re.MULTILINE)


class TreebankSentence(NamedTuple):
    """A sentence of a treebank."""

    key: str
    """Its `sent_id`."""
    text: str


def read_sentences(path: Path) -> list[TreebankSentence]:
    """Read the comments `sent_id` and `text` of each sentence; other comments and the words are not read.

    Returns:
        The sentences in order; none if the file is in another format.
    """
    comments = _COMMENT.findall(path.read_text(encoding="utf-8"))
    if [name for name, _ in comments] != ["sent_id", "text"] * (len(comments) // 2):
        return []
    values = [value for _, value in comments]
    return [TreebankSentence(*pair) for pair in zip(values[::2], values[1::2], strict=True)]


def treebank_row(name: str, document: str, sentence: TreebankSentence, genre: str, licence: str) -> dict[str, str]:
    """A sentence as a row of the source `name`; its group is its document."""
    return {
        "id": f"{name}:{sentence.key}",
        "text": sentence.text,
        "document": document,
        "group": f"{name}:{document}",
        "genre": genre,
        "licence": licence,
    }


def labelled_rows(rows: Iterable[dict[str, str]], labels: str) -> pd.DataFrame:
    """The rows with a stand-off label; treebanks have no label like ours, so the others are of no use.

    Args:
        rows: as `treebank_row` makes them.
        labels: file of stand-off labels; see `label_corpus`.
    """
    labelled = label_corpus(pd.DataFrame(rows), labels)
    return labelled[labelled["label"].notna()].reset_index(drop=True)
