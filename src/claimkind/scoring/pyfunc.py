"""The model as MLflow logs it: one pyfunc for every model family, logged from this file ("models from code").

The input has a column `text`. The output has a row for each row of the input: `label`, `confidence`, and the
probability of each label.
"""

from typing import Any

import mlflow
import pandas as pd
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
        """Label the column `text`; see `claimkind.models.prediction.label_texts`. A row without text has no label."""
        from claimkind.models.prediction import label_texts

        texts = model_input["text"].reset_index(drop=True)
        given = texts[texts.notna()].astype(str)
        labelled = label_texts(self.classifier, given.tolist())
        return labelled.set_index(given.index).reindex(texts.index)


mlflow.models.set_model(SentenceModel())
