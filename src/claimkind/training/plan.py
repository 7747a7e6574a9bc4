"""The plan of a training: everything that a configuration describes, loaded and checked before anything is trained."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from claimkind import models, tracking
from claimkind.config import TrainConfig, build, changed_settings
from claimkind.dataset.load import BuiltDataset, load_dataset
from claimkind.errors import ClaimkindError
from claimkind.manifest import fingerprint
from claimkind.metrics.bootstrap import check_samples
from claimkind.models.base import Classifier, Deterministic, check_seed
from claimkind.models.calibration import check_precision
from claimkind.training.distillation import Distillation, Excluded
from claimkind.training.names import model_name, run_name
from claimkind.training.weights import RowWeighting, training_weights

TRAINING_PARAMS = (
    "evidence_weight", "evidence_sources", "max_evidence", "source_weights", "train_sources", "max_labels",
    "distil_from", "distil_share", "distil_texts", "init_from", "target_precision",
)  # fmt: skip
"""The settings, besides those of the model, by which trainings differ."""
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What one training does. The steps of the pipeline take their values from here, not from a configuration."""

    run_name: str
    model_name: str
    """The model and what differs from its defaults, without the dataset and the seed."""
    experiment_name: str
    dataset: BuiltDataset
    classifier: Classifier
    """Not fitted yet."""
    weights: np.ndarray
    """(n,) weights of the rows of the training split; 0 for the rows that are left out."""
    distillation: Distillation | None
    """None where no saved model teaches this one."""
    target_precision: float | None
    """Precision on validation of the labels that the model gives when it may abstain; None: it never abstains."""
    bootstrap_samples: int
    checkpoints: Path
    """The checkpoint folder, the same for the same settings and data."""
    resume: bool
    behaviour_suite: Path
    """The file of the behaviour suite; it need not exist."""
    params: dict[str, Any]
    """The parameters of the run in MLflow, by which runs are distinguished."""
    config: dict[str, Any]
    """The whole configuration, which the run keeps as a file."""


def plan(config: TrainConfig) -> Plan:
    """Load and check what a configuration describes.

    Raises:
        ClaimkindError: the dataset was not built, a saved model does not exist, or a setting is wrong.
    """
    _check_numbers(config.bootstrap_samples, config.seed, config.target_precision)
    saved_models = {"init_from": config.init_from, "distil_from": config.distil_from}
    named = config.run_name or run_name(config, TRAINING_PARAMS), model_name(config, TRAINING_PARAMS)
    config = replace(config, **resolve(config.model, config.evidence_weight, saved_models))
    settings = asdict(config)
    classifier = build(_initialised_from(config.init_from, config.model), "model", "claimkind.models")
    if isinstance(classifier, Deterministic) and config.seed and not (config.max_labels or config.max_evidence):
        _LOGGER.info("seed=%d changes nothing: this model learns the same for every seed", config.seed)
    dataset = load_dataset(config.paths.data_dir, config.dataset.name, changed_settings(config.dataset))
    weighting = RowWeighting(**{entry.name: settings[entry.name] for entry in fields(RowWeighting)})
    excluded = Excluded(config.dataset.contamination_hashes, config.dataset.near_duplicate_threshold)
    params = _params(dataset, config.model) | {name: settings[name] for name in ("seed", *TRAINING_PARAMS)}
    key = fingerprint({**params, "experiment": config.experiment_name})
    return Plan(
        run_name=named[0],
        model_name=named[1],
        experiment_name=config.experiment_name,
        dataset=dataset,
        classifier=classifier,
        weights=training_weights(dataset.splits["train"].to_pandas(), weighting, config.seed),
        distillation=_distillation(config, weighting.evidence_weight, excluded),
        target_precision=config.target_precision,
        bootstrap_samples=config.bootstrap_samples,
        checkpoints=Path(config.paths.data_dir) / "checkpoints" / key,
        resume=config.resume,
        behaviour_suite=Path(config.paths.seeds_dir) / "behaviour" / "pairs.jsonl",
        params=params,
        config=settings,
    )


def resolve(
    model: Mapping[str, Any], evidence_weight: float | None, saved_models: Mapping[str, str | Sequence[str] | None]
) -> dict[str, Any]:
    """The settings whose meaning depends on something else, with values that mean the same from now on.

    Args:
        model: settings of the model.
        evidence_weight: None takes that of the model's family.
        saved_models: a URI or several by the names of the settings; an alias becomes the URI of the model that it
            points at now.

    Returns:
        `evidence_weight` and the saved models that are given.

    Raises:
        ClaimkindError: there is no such saved model, or no such family.
    """
    found: dict[str, Any] = {
        key: tracking.origin_of(given, key).model_uri
        if isinstance(given, str)
        else [tracking.origin_of(model_uri, key).model_uri for model_uri in given]
        for key, given in saved_models.items()
        if given is not None
    }
    if evidence_weight is None:
        evidence_weight = build(model, "model", "claimkind.models").evidence_weight
    return found | {"evidence_weight": evidence_weight}


def warn_of_other_builds(planned: Plan) -> None:
    """Warn of a saved model that may have been trained on sentences that the new one is tested on."""
    given = [
        ("init_from", planned.params["init_from"]),
        *(("distil_from", uri) for uri in planned.params["distil_from"]),
    ]
    for key, model_uri in given:
        if model_uri is None:
            continue
        origin = tracking.origin_of(model_uri, key).params.get("dataset_fingerprint", "unknown")
        if origin != planned.dataset.fingerprint:
            _LOGGER.warning(
                "%s was trained on the build %s of a dataset, not on %s: if it was trained on sentences that are test "
                "sentences here, the results are too good",
                key, origin, planned.dataset.fingerprint,
            )  # fmt: skip


def _check_numbers(bootstrap_samples: int, seed: int, target_precision: float | None) -> None:
    check_samples(bootstrap_samples)
    check_seed(seed)
    if target_precision is not None:
        check_precision(target_precision)


def _initialised_from(model_uri: str | None, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings of a model, with the encoder of a saved model if one is given."""
    if model_uri is None:
        return settings
    if "encoder" not in settings:
        raise ClaimkindError("init_from needs a model with an encoder, expected model=minilm or another transformer")
    folder = tracking.fetch_folder(model_uri, "init_from")
    if not (folder / "config.json").is_file():
        raise ClaimkindError(
            f"init_from={model_uri} is a model without an encoder, expected one trained with model=minilm or "
            "another transformer"
        )
    try:
        models.check(folder)
    except ClaimkindError as error:
        raise ClaimkindError(
            f"init_from={model_uri}: {error}; an encoder that is no saved model is model.encoder"
        ) from None
    return {**settings, "encoder": str(folder), "revision": None, "sha256": None}


def _params(dataset: BuiltDataset, model: Mapping[str, Any]) -> dict[str, Any]:
    settings = {f"model.{name}": value for name, value in model.items()}
    return {**settings, "dataset": dataset.name, "dataset_fingerprint": dataset.fingerprint}


def _distillation(config: TrainConfig, weight: float, excluded: Excluded) -> Distillation | None:
    if config.distil_from:
        return Distillation(config.distil_from, weight, config.distil_share, config.distil_texts, excluded)
    if config.distil_texts:
        raise ClaimkindError("distil_texts is given, but no distil_from to label them with: give a saved model")
    return None
