"""Which words of a sentence a model's label rests on."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from claimkind.errors import ClaimkindError
from claimkind.models.base import Predictor

_WORD = re.compile(r"\w+(?:[’'-]\w+)*|[^\w\s]")
_AT_ONCE = 64


class Word(NamedTuple):
    """A word or a punctuation mark, and what it does to the label."""

    start: int
    end: int
    weight: float
    """By how much the label's probability falls when the word is taken out; negative where it rises."""


def attribute_words(classifier: Predictor, text: str) -> list[Word]:
    """Occlusion (Zeiler and Fergus 2014): take out one word after the other, and see what becomes of the label.

    Works for any family, since it only asks for probabilities.

    Raises:
        ClaimkindError: Captum is not installed.
    """
    try:  # imported here: a worker that only labels needs neither
        import torch
        from captum.attr import FeatureAblation
    except ModuleNotFoundError:
        raise ClaimkindError(
            "captum is not installed, expected the extra explain: pip install -e '.[explain]'"
        ) from None
    spans = [match.span() for match in _WORD.finditer(text)]
    if not spans:
        return []

    def probabilities(kept: Any) -> Any:
        return torch.as_tensor(classifier.predict_proba([_without(text, spans, row) for row in kept.tolist()]))

    label = int(classifier.predict_proba([text])[0].argmax())
    weights = FeatureAblation(probabilities).attribute(
        torch.ones(1, len(spans)), target=label, perturbations_per_eval=_AT_ONCE
    )
    return [Word(*span, weight) for span, weight in zip(spans, weights[0].tolist(), strict=True)]


def _without(text: str, spans: Sequence[tuple[int, int]], kept: Sequence[float]) -> str:
    for (start, end), keep in reversed(list(zip(spans, kept, strict=True))):
        if not keep:
            text = text[:start] + text[end:]
    return re.sub(r"\s+", " ", text).strip()
