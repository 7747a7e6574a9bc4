"""The model as MLflow logs it: one pyfunc for every model family, logged from this file ("models from code").

The input has a column `text`. The output has a row for each row of the input: `label`, `confidence`, and the
probability of each label. All are None where the text is missing or blank.
"""

from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PythonModel, PythonModelContext


class SentenceModel(PythonModel):
    """Labels sentences."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the classifier from the artifacts, after checking their digests."""
        from claimkind import models

        self.classifier = models.load(context.artifacts["model"])

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Label the column `text`.

        Args:
            context: not used.
            model_input: the rows; a single row may hold a list of texts instead, which is how MLflow passes the input
                `{"text": [...]}`.
            params: not used.

        Returns:
            The columns of `claimkind.models.prediction.label_texts`, a row for each text.

        Raises:
            MlflowException: a text is a list or an object, or longer than a row that scoring takes.
        """
        from claimkind.models.prediction import label_texts
        from claimkind.text.visible import is_blank

        texts = _texts(model_input["text"])
        given = texts[~texts.map(is_blank)]
        labelled = label_texts(self.classifier, given.tolist()).set_index(given.index)
        if len(given) == len(texts):
            return labelled
        # As objects: a missing number among floats is NaN, which JSON does not have.
        return labelled.astype(object).reindex(texts.index).where(lambda rows: rows.notna(), None)


def _texts(column: pd.Series) -> pd.Series:
    """The texts of a column, with the empty text where one is missing."""
    from claimkind.io.lines import LONGEST_TEXT

    cells = column.tolist()
    if len(cells) == 1 and isinstance(cells[0], list | tuple | np.ndarray):
        cells = list(cells[0])
    for cell in cells:
        if isinstance(cell, list | tuple | dict | np.ndarray):
            raise MlflowException.invalid_parameter_value(
                f"text is {type(cell).__name__}, expected a string in each row: give a row for each text"
            )
        if isinstance(cell, str) and len(cell) > LONGEST_TEXT:
            raise MlflowException.invalid_parameter_value(
                f"text has {len(cell):,} characters, expected at most {LONGEST_TEXT:,}: split it"
            )
    return pd.Series(["" if pd.isna(cell) else str(cell) for cell in cells], dtype=object)


mlflow.models.set_model(SentenceModel())
