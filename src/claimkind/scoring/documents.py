"""Labels for the sentences of a text, from Python: `claimkind.load(model_uri).score(text)`."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from claimkind import models
from claimkind.errors import ClaimkindError, missing_packages_explained
from claimkind.io.rows import Chunk
from claimkind.models.base import Predictor
from claimkind.models.prediction import label_with_windows
from claimkind.scoring.engine import fetch_folder, with_labels
from claimkind.scoring.inputs import check_options, split_documents
from claimkind.text.blocks import SENTENCE, ParsedText
from claimkind.text.html import parse_html
from claimkind.text.markdown import parse_markdown
from claimkind.text.plain import parse_plain

_PARSERS: dict[str, Callable[[str, str], ParsedText]] = {
    "plain": parse_plain,
    "markdown": parse_markdown,
    "html": parse_html,
}


class SentenceLabeller:
    """A saved model that labels sentences: those of a text, or given ones."""

    def __init__(self, classifier: Predictor) -> None:
        self.classifier = classifier

    def score(
        self, text: str, *, markup: str = "plain", kinds: str = "sentences", line_breaks: str = "auto"
    ) -> pd.DataFrame:
        """Split a text into sentences and label them, as `scripts/score.py` does with a document.

        Args:
            text: the document.
            markup: `plain`, `markdown` or `html`.
            kinds: `sentences` labels sentences only; `all` labels headings, list items, table cells, code and
                boilerplate too.
            line_breaks: what a single line break is: `keep` ends the sentence, `join` reads it as a blank, `auto` joins
                the lines of texts that were cut at a width.

        Returns:
            A row for each sentence, heading and so on, in their order: `start` and `end` (offsets in `text`, in
            characters), `paragraph` (its number from 0), `kind`, `text`, and the columns of `label`. Rows that are not
            labelled have no value in these.

        Raises:
            ClaimkindError: an argument is unknown.
        """
        if markup not in _PARSERS:
            raise ClaimkindError(f"markup={markup} is unknown, expected one of {', '.join(_PARSERS)}")
        check_options(kinds=kinds, line_breaks=line_breaks)
        parsed = _PARSERS[markup](text, line_breaks)
        rows = split_documents(pd.DataFrame({"id": [""]}), [parsed]).drop(columns=["document", "sentence"])
        labelled = rows if kinds == "all" else rows[rows["kind"] == SENTENCE]
        scored = with_labels(Chunk(rows, []), self.label(labelled["text"].tolist()), SENTENCE)
        return scored.astype({"start": int, "end": int, "paragraph": int, "kind": str, "text": str})

    def label(self, sentences: Sequence[str]) -> pd.DataFrame:
        """Label sentences as they are.

        Args:
            sentences: n texts.

        Returns:
            n rows: `label`; `confidence`, `p_factual`, `p_speculative` and `p_opinion`, from 0 to 1; and `windows`, the
            number of pieces in which the model read the text.
        """
        return label_with_windows(self.classifier, list(sentences))


def load(model_uri: str | Path) -> SentenceLabeller:
    """Load a saved model; see `claimkind.load`."""
    if not str(model_uri).strip():
        raise ClaimkindError("the model has no URI, expected models:/NAME@ALIAS, models:/ID or a folder: give one")
    with missing_packages_explained():
        return SentenceLabeller(models.load(fetch_folder(str(model_uri))))
