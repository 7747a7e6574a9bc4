"""The model card of a training run."""

from typing import Any

from claimkind import models
from claimkind.dataset.rows import with_names
from claimkind.evaluation import model_card
from claimkind.evaluation.behaviour import pass_rates, read_pairs
from claimkind.evaluation.evaluation import Evaluation
from claimkind.models.calibration import CalibratedClassifier
from claimkind.training.plan import Plan


def model_card_of(planned: Plan, calibrated: CalibratedClassifier, evaluation: Evaluation) -> str:
    """The card in Markdown of a model and its evaluation on the test split."""
    rows = with_names(planned.dataset.splits["train"])[planned.weights > 0]
    subject = model_card.Subject(
        name=planned.run_name,
        family=models.family_of(calibrated),
        dataset=planned.dataset.name,
        fingerprint=planned.dataset.fingerprint,
        training_rows=rows[["source", "label", "licence"]],
        temperature=calibrated.temperature,
        abstain_below=calibrated.abstain_below,
        teachers=_other_models(planned.params),
    )
    suite = planned.behaviour_suite
    behaviour = pass_rates(calibrated, read_pairs(suite)) if suite.is_file() else None
    return model_card.render(subject, evaluation, behaviour)


def _other_models(params: dict[str, Any]) -> list[str]:
    """A sentence about each saved model from which this one was made."""
    sentences = []
    if params["init_from"]:
        sentences.append(f"Its encoder was initialised from the saved model `{params['init_from']}`.")
    if params["distil_from"]:
        texts = params["distil_texts"]
        further = f", and for the sentences in {', '.join(texts)}" if texts else ""
        sentences.append(
            f"For the sentences without a label{further}, it was trained on the probabilities of the model "
            f"`{params['distil_from']}` as soft targets."
        )
    return sentences
