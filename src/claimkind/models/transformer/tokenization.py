"""Texts as token ids: truncated for training, in overlapping windows for prediction."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Batch = dict[str, np.ndarray]
"""Padded input of an encoder: `input_ids` and `attention_mask`, (rows, tokens) int64 each."""

_OVERLAP = 32  # tokens that two consecutive windows share
_SPECIAL_TOKENS = 2  # an input holds at least a start and an end token


class Windows(NamedTuple):
    """Texts split into windows that fit the input of an encoder."""

    ids: list[list[int]]
    """Token ids of each window."""
    owners: np.ndarray
    """The text that each window belongs to: (windows,) int64."""


class WindowTokenizer:
    """A tokenizer with a longest input."""

    def __init__(self, tokenizer: Any, max_length: int) -> None:
        """Limit the input of a tokenizer.

        Args:
            tokenizer: of transformers.
            max_length: longest input in tokens; the number of positions of the encoder is a further limit.
        """
        self.tokenizer = tokenizer
        self.max_length: int = min(max_length, tokenizer.model_max_length)

    def truncate(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without those that exceed the longest input."""
        ids: list[list[int]] = self.tokenizer(list(texts), truncation=True, max_length=self.max_length)["input_ids"]
        return ids

    def split(self, texts: Sequence[str]) -> Windows:
        """Token ids of each text in windows; a short text is one window."""
        encoded = self.tokenizer(
            list(texts),
            truncation=True,
            max_length=self.max_length,
            stride=min(_OVERLAP, self.max_length // 4),
            return_overflowing_tokens=True,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        return Windows(encoded["input_ids"], np.array(encoded["overflow_to_sample_mapping"], dtype=np.int64))

    def count_windows(self, texts: Sequence[str]) -> np.ndarray:
        """Number of windows of each text: (n,) int64."""
        counts = np.ones(len(texts), dtype=np.int64)
        # A token has at least one byte, so a text of few bytes is one window and need not be tokenized.
        long = [index for index, text in enumerate(texts) if len(text.encode()) > self.max_length - _SPECIAL_TOKENS]
        if long:
            counts[long] = np.bincount(self.split([texts[index] for index in long]).owners, minlength=len(long))
        return counts

    def pad(self, ids: Sequence[list[int]]) -> Batch:
        """A batch padded to the longest of its rows."""
        return dict(self.tokenizer.pad({"input_ids": list(ids)}, return_tensors="np"))
