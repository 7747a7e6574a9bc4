"""Attribution: how much each word of a sentence contributes to its predicted label."""

import importlib.util
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from claimkind.errors import ClaimkindError
from claimkind.models.base import Predictor

_WORD = re.compile(r"\w+(?:[’'-]\w+)*|[^\w\s]")
_TEXTS_PER_CALL = 64


class Word(NamedTuple):
    """A word or a punctuation mark, and its weight for the predicted label."""

    start: int
    """Offset of its first character in the text."""
    end: int
    """Offset after its last character."""
    weight: float
    """How much the probability of the label falls when the word is removed; negative where it rises."""


def check_installed() -> None:
    """Check that Captum can be imported, without importing it.

    Raises:
        ClaimkindError: it is not installed.
    """
    if importlib.util.find_spec("captum") is None:
        raise ClaimkindError("captum is not installed, expected the extra explain: pip install 'claimkind[explain]'")


def attribute_words(classifier: Predictor, text: str) -> list[Word]:
    """Weigh the words of a text by occlusion (Zeiler and Fergus 2014): each is removed in turn.

    It needs nothing but probabilities, so it works for any family.

    Returns:
        The words and punctuation marks of the text, in order; empty for a text without any.

    Raises:
        ClaimkindError: Captum is not installed.
    """
    check_installed()
    import torch  # here, since scoring without `explain` needs neither
    from captum.attr import FeatureAblation

    spans = [match.span() for match in _WORD.finditer(text)]
    if not spans:
        return []

    def probabilities(kept: Any) -> Any:
        return torch.as_tensor(classifier.predict_proba([_without(text, spans, row) for row in kept.tolist()]))

    label = int(classifier.predict_proba([text])[0].argmax())
    weights = FeatureAblation(probabilities).attribute(
        torch.ones(1, len(spans)), target=label, perturbations_per_eval=_TEXTS_PER_CALL
    )
    return [Word(*span, weight) for span, weight in zip(spans, weights[0].tolist(), strict=True)]


def _without(text: str, spans: Sequence[tuple[int, int]], kept: Sequence[float]) -> str:
    for (start, end), keep in reversed(list(zip(spans, kept, strict=True))):
        if not keep:
            text = text[:start] + text[end:]
    return re.sub(r"\s+", " ", text).strip()
