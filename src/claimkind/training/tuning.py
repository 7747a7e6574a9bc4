"""Search over the settings of a training, with Optuna: resumable, in several processes, each trial an MLflow run."""

import itertools
import math
import multiprocessing
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NamedTuple

import hydra
import pandas as pd
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from sqlalchemy.exc import SQLAlchemyError

from claimkind import tracking
from claimkind.config import TrainConfig, TuneConfig, build, explain, nearest, signature_schema
from claimkind.dataset.build import BuiltDataset, load_configured
from claimkind.errors import ClaimkindError, TrainingPruned
from claimkind.evaluation import plots
from claimkind.manifest import fingerprint
from claimkind.training.checkpoints import TRAINING_PARAMS
from claimkind.training.pipeline import note_other_builds, resolved, validate

try:
    import optuna
    from optuna.trial import TrialState
except ModuleNotFoundError:  # the extra `tune`
    optuna = None  # type: ignore[assignment]

_RUN_ID = "mlflow_run_id"
_SHARED = "searched_with"
_SEARCHED = ("model", "seed", *TRAINING_PARAMS)
_WATCHED = "validation_macro_f1"
_FORMS = "{low, high}, {low, high, log: true} or {choices: […]}"


_FAILURES = 5
"""After so many failed trials in a row in one process it is the settings, not chance."""


class _FailedTrialError(Exception):
    """A trial whose settings cannot be trained with; the search goes on."""


class Found(NamedTuple):
    """What a search found."""

    best: dict[str, Any]
    """Settings by dotted key."""
    score: float
    """Their macro F1 on validation."""
    trials: pd.DataFrame


def run(config: TuneConfig) -> Found:
    """Search until enough trials are done, going on from earlier calls; see `configs/tune.yaml`.

    Only the validation split is looked at. Run again after a crash, or at the same time in several terminals, the
    search goes on in the same study: no finished trial is lost, and one that was cut off is begun anew.

    Raises:
        ClaimkindError: Optuna is not installed, or the search space is not as it should be.
    """
    if optuna is None:
        raise ClaimkindError("optuna is not installed, expected the extra tune: pip install -e '.[tune]'")
    _check(config)
    config = resolved(config)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    tracking.prepare_store(config.experiment_name)
    dataset = load_configured(config.dataset, config.paths.data_dir)
    note_other_builds(config, dataset)
    name = config.study_name or _study_name(config, dataset)
    study = _open_study(config, name)
    parent_run_id = _parent_run(study, config, name, dataset)
    _work_in_processes(config, name, parent_run_id)
    found = _summarise(study)
    _log(found, parent_run_id, config, name)
    return found


def _check(config: TuneConfig) -> None:
    for name in ("trials", "workers", "heartbeat_seconds"):
        if getattr(config, name) < 1:
            raise ClaimkindError(f"{name}={getattr(config, name)}, expected 1 at least: correct it")
    if config.resume or config.run_name:
        raise ClaimkindError("resume and run_name are of one training: a search goes on by itself, see study_name")
    if not config.search:
        raise ClaimkindError("search is empty, expected some settings to try: give search=tfidf, say")
    for key, where in config.search.items():
        _check_range(key, where)
    # Each choice and each end makes a model, so that a wrong name or type is told before the first trial.
    first = {key: _ends(where)[0] for key, where in config.search.items()}
    for key, where in config.search.items():
        for value in _ends(where):
            build(_with_settings(config, {**first, key: value}).model, "model", "claimkind.models")


def _ends(where: Mapping[str, Any]) -> Sequence[Any]:
    return where["choices"] if "choices" in where else (where["low"], where["high"])


def _check_range(key: str, where: Any) -> None:
    top = key.split(".")[0]
    if top not in _SEARCHED:
        raise ClaimkindError(f"search names {key}, which is no setting of a training; {nearest(top, _SEARCHED)}")
    if not isinstance(where, Mapping) or set(where) not in ({"low", "high"}, {"low", "high", "log"}, {"choices"}):
        raise ClaimkindError(f"search.{key} is {where}, expected {_FORMS}: correct it")
    if "choices" in where:
        if not isinstance(where["choices"], list) or not where["choices"]:
            raise ClaimkindError(f"search.{key} has no choices, expected a list of some: correct it")
        return
    low, high, log = where["low"], where["high"], where.get("log", False)
    if not (_is_number(low) and _is_number(high) and low <= high):
        raise ClaimkindError(f"search.{key} goes from {low} to {high}, expected numbers, the lower one first")
    if not isinstance(log, bool):
        raise ClaimkindError(f"search.{key}.log={log}, expected true or false: correct it")
    if log and low <= 0:
        raise ClaimkindError(f"search.{key} goes from {low} on a log scale, expected a number above 0")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _takes_fractions(config: TuneConfig, key: str) -> bool:
    """Whether a setting can lie between whole numbers, however the ends of its range are written."""
    top, _, name = key.partition(".")
    if top == "model":
        schema = signature_schema(hydra.utils.get_class(str(config.model["_target_"])))
    else:
        schema, name = TrainConfig, top
    return any("float" in str(entry.type) for entry in fields(schema) if entry.name == name)


def _searched_with(config: TuneConfig, dataset: BuiltDataset) -> dict[str, Any]:
    """What the trials of a study must share: the data and the settings, but not the space."""
    how = {entry.name for entry in fields(TuneConfig)} - {entry.name for entry in fields(TrainConfig)}
    settings = {key: value for key, value in asdict(config).items() if key not in how}
    return settings | {"dataset": dataset.fingerprint}


def _study_name(config: TuneConfig, dataset: BuiltDataset) -> str:
    """The same for the same data, space and settings, however many trials and workers are asked for."""
    family = str(config.model["_target_"]).split(".")[-2]
    shared = _searched_with(config, dataset) | {"search": config.search}
    return f"{family}-{dataset.name}-{fingerprint(shared)}"


def _open_study(config: TuneConfig, name: str) -> "optuna.Study":
    if config.storage.startswith("sqlite:///"):
        Path(config.storage.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    # Under a lock, since several workers may find no tables and make them; without the notes on what is experimental.
    with tracking.lock(config.storage), warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        storage = _open_storage(config)
        return optuna.create_study(
            storage=storage,
            study_name=name,
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner() if config.prune else optuna.pruners.NopPruner(),
        )


def _open_storage(config: TuneConfig) -> "optuna.storages.RDBStorage":
    retry = optuna.storages.RetryHeartbeatStaleTrialCallback()

    def begin_anew(study: "optuna.Study", trial: "optuna.trial.FrozenTrial") -> None:
        tracking.end_killed_children(study.user_attrs.get(_RUN_ID, ""), _trial_name(trial))
        retry(study, trial)

    try:
        return optuna.storages.RDBStorage(
            config.storage,
            engine_kwargs={"connect_args": {"timeout": 60}} if config.storage.startswith("sqlite") else None,
            heartbeat_interval=config.heartbeat_seconds,
            heartbeat_stale_trial_callback=begin_anew,
        )
    except (SQLAlchemyError, ImportError, optuna.exceptions.StorageInternalError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ClaimkindError(f"storage={config.storage} does not open ({reason}): correct the address") from None


def _trial_name(trial: "optuna.Trial | optuna.trial.FrozenTrial") -> str:
    return f"trial-{trial.number}"


def _parent_run(study: "optuna.Study", config: TuneConfig, name: str, dataset: BuiltDataset) -> str:
    """The run of the search; made by the first call.

    Raises:
        ClaimkindError: the study is of another search.
    """
    shared = fingerprint(_searched_with(config, dataset))
    with tracking.lock(name):
        if study.user_attrs.get(_SHARED, shared) != shared:
            raise ClaimkindError(
                f"the study {name} was of another dataset, model or setting, and its trials do not compare with these: "
                "give another study_name"
            )
        study.set_user_attr(_SHARED, shared)
        if not tracking.run_exists(study.user_attrs.get(_RUN_ID, "")):  # not yet, or not any more
            with tracking.start_run(config.experiment_name, f"search-{name}", {"kind": "search"}) as tracked:
                params = {"study": name, "dataset": dataset.name, "dataset_fingerprint": dataset.fingerprint}
                tracked.log_config(asdict(config), params)
            study.set_user_attr(_RUN_ID, tracked.run_id)
        return str(study.user_attrs[_RUN_ID])


def _work_in_processes(config: TuneConfig, name: str, parent_run_id: str) -> None:
    if config.workers < 2:
        return _work(config, name, parent_run_id)
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=_work_apart, args=(config, name, parent_run_id, number))
        for number in range(config.workers)
    ]
    with tracking.exit_on_signals():
        try:
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        finally:  # none goes on alone
            for worker in workers:
                if worker.is_alive():
                    worker.terminate()
    if any(worker.exitcode for worker in workers):
        raise ClaimkindError("a worker of the search failed, see its message above: run the command again to go on")


def _work_apart(config: TuneConfig, name: str, parent_run_id: str, worker: int) -> None:
    """The same in a process of its own, with sentences for errors."""
    try:
        _work(config, name, parent_run_id, worker)
    except ClaimkindError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(2)


def _work(config: TuneConfig, name: str, parent_run_id: str, worker: int = 0) -> None:
    """Try until enough trials are done, whoever does them."""
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // config.workers))
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = _open_study(config, name)
    # Another seed for each worker and each call, or all would begin with the same settings.
    seed = config.seed + 1000 * worker + len(study.get_trials(deepcopy=False))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.sampler = optuna.samplers.TPESampler(multivariate=True, constant_liar=True, seed=seed)
    objective = _Objective(config, name, parent_run_id)
    if not objective.is_done(study):
        study.optimize(objective, callbacks=[objective.stop_when_done], catch=(_FailedTrialError,))


class _Objective:
    """What Optuna calls: one training a trial."""

    def __init__(self, config: TuneConfig, study: str, parent_run_id: str) -> None:
        self.config, self.study, self.parent_run_id = config, study, parent_run_id
        self.fractions = {key: _takes_fractions(config, key) for key in config.search}
        self.failures: list[_FailedTrialError] = []

    def __call__(self, trial: "optuna.Trial") -> float:
        """Macro F1 on validation of the settings that a trial suggests."""
        chosen = {
            key: _suggest(trial, key, where, self.fractions[key], self.study)
            for key, where in self.config.search.items()
        }
        evaluations = itertools.count(1)  # steps would not do: how many make an epoch depends on the batch size

        def report(_: int, metrics: Mapping[str, float]) -> None:
            if _WATCHED in metrics:
                trial.report(metrics[_WATCHED], next(evaluations))
                if self.config.prune and trial.should_prune():
                    raise TrainingPruned

        try:
            score = validate(_with_settings(self.config, chosen), _trial_name(trial), self.parent_run_id, report)
            self.failures.clear()
            return score
        except TrainingPruned:
            self.failures.clear()
            raise optuna.TrialPruned from None
        except (ClaimkindError, RuntimeError, MemoryError) as error:  # torch tells so that its memory is not enough
            print(f"{_trial_name(trial)} failed: {error}", file=sys.stderr)  # noqa: T201
            self.failures.append(_FailedTrialError(str(error)))
            raise self.failures[-1] from None

    def is_done(self, study: "optuna.Study") -> bool:
        """Whether enough trials are, whoever did them."""
        done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        return len(done) >= self.config.trials

    def stop_when_done(self, study: "optuna.Study", _: Any) -> None:
        """Called after each trial."""
        if self.is_done(study):
            study.stop()
        elif len(self.failures) >= _FAILURES:
            raise ClaimkindError(f"{_FAILURES} trials in a row failed, the last one because {self.failures[-1]}")


def _suggest(trial: "optuna.Trial", key: str, where: Mapping[str, Any], fractions: bool, study: str) -> Any:
    try:
        if "choices" in where:
            return trial.suggest_categorical(key, where["choices"])
        low, high = where["low"], where["high"]
        if isinstance(low, int) and isinstance(high, int) and not fractions:
            return trial.suggest_int(key, low, high, log=bool(where.get("log")))
        return trial.suggest_float(key, low, high, log=bool(where.get("log")))
    except ValueError as error:
        raise ClaimkindError(
            f"search.{key} does not go with what the study {study} searched before ({error}): give another study_name"
        ) from None


def _with_settings(config: TuneConfig, chosen: Mapping[str, Any]) -> TrainConfig:
    """The configuration of a training, with some of its settings replaced."""
    plain = OmegaConf.create({entry.name: getattr(config, entry.name) for entry in fields(TrainConfig)})
    if "seed" in chosen and "seed" in config.model:  # which took its seed from the same key before
        chosen = {"model.seed": chosen["seed"], **chosen}
    try:
        for key, value in chosen.items():
            OmegaConf.update(plain, key, value)
        checked: Any = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(TrainConfig), plain))
    except OmegaConfBaseException as error:
        raise ClaimkindError(explain(error, TrainConfig, prefix="search.")) from None
    return checked


def _summarise(study: "optuna.Study") -> Found:
    rows = [
        {"trial": trial.number, "state": trial.state.name.lower(), "validation macro F1": trial.value, **trial.params}
        for trial in study.get_trials(deepcopy=False)
        if trial.state.is_finished()
    ]
    trials = pd.DataFrame(rows).sort_values("validation macro F1", ascending=False, na_position="last")
    if not (trials["state"] == "complete").any():
        raise ClaimkindError(
            "no trial came to its end, expected one at least: look at the messages of the trials above"
        )
    return Found(dict(study.best_params), float(study.best_value), trials)


def _log(found: Found, parent_run_id: str, config: TuneConfig, name: str) -> None:
    settings = " ".join(f"{key}={value}" for key, value in found.best.items())
    print(found.trials.head(10).to_string(index=False))  # noqa: T201
    print(f"best of {len(found.trials)} trials of {name}: validation macro F1 {found.score:.3f} with {settings}")  # noqa: T201
    with tracking.start_run(config.experiment_name, "", {}, parent_run_id) as tracked:
        tracked.log_table(found.trials, "search/trials.parquet")
        tracked.log_figure(
            plots.plot_search(found.trials["trial"].tolist(), found.trials["validation macro F1"].tolist()),
            "search.png",
        )
        tracked.log_metrics({_WATCHED: found.score})
        tracked.describe(f"Best settings: `{settings}`, macro F1 on validation {found.score:.3f}")
