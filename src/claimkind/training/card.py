"""The description of a training run, and the card of its model."""

from typing import Any

import pandas as pd

from claimkind import models, tracking
from claimkind.dataset.rows import with_names
from claimkind.evaluation import description, model_card
from claimkind.evaluation.behaviour import pass_rates, read_pairs
from claimkind.evaluation.evaluation import Evaluation
from claimkind.models.calibration import CalibratedClassifier
from claimkind.training.plan import Plan


def log_card(tracked: tracking.Run, planned: Plan, calibrated: CalibratedClassifier, evaluation: Evaluation) -> None:
    """Log the card of a model, for MLflow and for the Hugging Face hub; `evaluation` is that on the test split."""
    subject, suite = _subject(planned, calibrated), planned.behaviour_suite
    behaviour = pass_rates(calibrated, read_pairs(suite)) if suite.is_file() else None
    card = model_card.render(subject, evaluation, behaviour)
    tracked.log_text(card, "model_card.md")
    tracked.log_text(f"{model_card.front_matter(subject, evaluation)}\n\n{card}", tracking.HUB_CARD)


def _subject(planned: Plan, calibrated: CalibratedClassifier) -> model_card.Subject:
    return model_card.Subject(
        name=planned.run_name,
        family=models.family_of(calibrated),
        dataset=planned.dataset.name,
        fingerprint=planned.dataset.fingerprint,
        training_rows=_training_rows(planned)[["source", "label", "licence"]],
        temperature=calibrated.temperature,
        abstain_below=calibrated.abstain_below,
        teachers=_other_models(planned.params),
        encoder=planned.params.get("model.encoder"),
    )


def description_of(planned: Plan, tracked: tracking.Run, evaluation: Evaluation, unmet: str) -> str:
    """The description of a training run in Markdown.

    Args:
        planned: what was trained.
        tracked: the run, which has logged its model.
        evaluation: on the test split.
        unmet: why the model does not abstain although it should; empty otherwise.
    """
    dataset, rows = planned.dataset, _training_rows(planned)
    sources = ", ".join(f"{source} {count:,}" for source, count in rows["source"].value_counts().items())
    abstains = [f"- {unmet}. The model gives every sentence a label."] if unmet else []
    return description.page(
        description.headline(evaluation, f"`{dataset.name}` test"),
        [
            *description.weaknesses(evaluation),
            *abstains,
            f"- Trained on {len(rows):,} rows of `{dataset.name}` (fingerprint `{dataset.fingerprint}`): {sources}",
            *[f"- {sentence}" for sentence in _other_models(planned.params)],
            *tracked.origin(),
        ],
    )


def _training_rows(planned: Plan) -> pd.DataFrame:
    """The rows that a plan trains on."""
    return with_names(planned.dataset.splits["train"])[planned.weights > 0]


def _other_models(params: dict[str, Any]) -> list[str]:
    """Text about the saved models that the training started or learned from; empty if there were none."""
    sentences = []
    if params["init_from"]:
        sentences.append(f"Its encoder was initialised from the saved model `{params['init_from']}`.")
    if params["distil_from"]:
        texts = params["distil_texts"]
        teachers = ", ".join(f"`{teacher}`" for teacher in params["distil_from"])
        further = f" and the sentences in {', '.join(texts)}" if texts else ""
        sentences.append(
            f"It was trained by distillation. For sentences without a label{further}, the targets were the mean "
            f"probabilities of {teachers}. For labelled sentences, these probabilities had a share of "
            f"{params['distil_share']:g} in the target."
        )
    return sentences
