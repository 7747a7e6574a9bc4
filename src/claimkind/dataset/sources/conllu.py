"""Sentences of treebanks in CoNLL-U (https://universaldependencies.org/format.html)."""

import re
from pathlib import Path
from typing import NamedTuple

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
