"""claimkind: tells, sentence by sentence, whether a text states a fact, speculates or gives an opinion."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from claimkind.scoring.documents import SentenceLabeller

__all__ = ["__version__", "load"]
__version__ = "0.1.0"


def load(model_uri: "str | Path") -> "SentenceLabeller":
    """Load a saved model, to label the sentences of texts with it.

    Args:
        model_uri: a folder that holds a saved model, which is loaded without MLflow; or a URI of MLflow:
            `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `models:/ID` or `runs:/…`.

    Returns:
        The model, with `score(text)` for a document and `label(sentences)` for sentences. No code that came with the
        model is run.

    Raises:
        claimkind.errors.ClaimkindError: there is no such model, or it is damaged or of another version.
    """
    from claimkind.scoring import documents  # with what it imports, this takes seconds

    return documents.load(model_uri)
