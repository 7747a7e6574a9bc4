"""Search over the settings of a training with Optuna: resumable, in several processes, each trial an MLflow run."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from claimkind import tracking
from claimkind.command import overrides
from claimkind.config import TrainConfig, TuneConfig
from claimkind.errors import ClaimkindError
from claimkind.manifest import fingerprint
from claimkind.training.plan import plan, resolve, warn_of_other_builds
from claimkind.training.search_space import first_values, parse_space, with_values
from claimkind.training.study import SearchResult, Storage, log_result, open_study, optuna, run_of_study, summarise
from claimkind.training.trials import Search, work_in_processes


def run(config: TuneConfig) -> SearchResult:
    """Search until enough trials are finished; see `configs/tune.yaml`.

    Trials are compared on the validation split. A call after a crash, or at the same time in another terminal, works
    on the same study: finished trials are kept, interrupted ones are started again.

    Raises:
        ClaimkindError: Optuna is not installed, the search space or a setting is wrong, or trials keep failing.
    """
    if optuna is None:
        raise ClaimkindError("optuna is not installed, expected the extra tune: pip install 'claimkind[tune]'")
    if config.resume or config.run_name or config.quantize:
        raise ClaimkindError(
            "resume, run_name and quantize are settings of one training: a search resumes by itself, see study_name"
        )
    _check_counts(trials=config.trials, workers=config.workers, heartbeat_seconds=config.heartbeat_seconds)
    settings = asdict(config)
    space = parse_space(config.search, _of_training(settings))
    saved_models = {"init_from": config.init_from, "distil_from": config.distil_from}
    settings |= resolve(config.model, config.evidence_weight, saved_models)
    training = _of_training(settings)
    planned = plan(with_values(training, first_values(space)))  # so that errors appear before the first trial
    warn_of_other_builds(planned)
    tracking.prepare_store(config.experiment_name)
    shared = {**training, "dataset": planned.dataset.fingerprint}
    name = config.study_name or _study_name(config.model, planned.dataset.name, {**shared, "search": config.search})
    storage = Storage(config.storage, config.heartbeat_seconds)
    study = open_study(name, storage, prune=config.prune)
    params = {"study": name, "dataset": planned.dataset.name, "dataset_fingerprint": planned.dataset.fingerprint}
    run_id = run_of_study(study, fingerprint(shared), config.experiment_name, settings, params)
    work_in_processes(Search(name, storage, space, training, config.trials, config.prune), config.workers)
    result = summarise(study)
    result = replace(result, command=_training_command(result))
    return log_result(result, run_id, config.experiment_name)


def _training_command(result: SearchResult) -> str:
    """The command that trains a model with the best settings of a search; those given to the search are kept."""
    own = {entry.name for entry in fields(TuneConfig)} - {entry.name for entry in fields(TrainConfig)}
    given = [argument for argument in overrides("tune", "model") or [] if _key(argument).split(".")[0] not in own]
    kept = [argument for argument in given if _key(argument) not in result.best]
    return " ".join([shlex.join(["python", "scripts/train.py", *kept]), result.settings()])


def _key(argument: str) -> str:
    return argument.lstrip("+~").partition("=")[0]


def _check_counts(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise ClaimkindError(f"{name}={count}, expected 1 at least")


def _of_training(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those settings of a search that are settings of each training."""
    return {entry.name: settings[entry.name] for entry in fields(TrainConfig)}


def _study_name(model: Mapping[str, Any], dataset: str, shared: Mapping[str, Any]) -> str:
    """The same for the same data, space and settings, whatever the numbers of trials and workers."""
    family = str(model["_target_"]).split(".")[-2]
    return f"{family}-{dataset}-{fingerprint(shared)}"
