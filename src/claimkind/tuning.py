"""Search over the settings of a training, with Optuna: resumable, in several processes, each trial an MLflow run."""

import itertools
import multiprocessing
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from claimkind import tracking
from claimkind.config import TrainConfig, TuneConfig, build, explain, field_names, nearest
from claimkind.dataset.build import BuiltDataset, load_dataset
from claimkind.errors import ClaimkindError, Stopped
from claimkind.evaluation import plots
from claimkind.manifest import fingerprint
from claimkind.training import note_other_builds, validate

try:
    import optuna
    from optuna.trial import TrialState
except ModuleNotFoundError:  # the extra `tune`
    optuna = None  # type: ignore[assignment]

_RUN_ID = "mlflow_run_id"
_WATCHED = "validation_macro_f1"
_FORMS = "{low, high}, {low, high, log: true} or {choices: […]}"


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
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    tracking.prepare_store(config.experiment_name)
    dataset = load_dataset(config.data_dir, config.dataset.name)
    note_other_builds(config, dataset)
    name = config.study_name or _study_name(config, dataset)
    study = _open_study(config, name)
    parent_run_id = _parent_run(study, config, name)
    _work_in_processes(config, name, parent_run_id)
    found = _summarise(study)
    _log(found, parent_run_id, config, name)
    return found


def _check(config: TuneConfig) -> None:
    for name in ("trials", "workers"):
        if getattr(config, name) < 1:
            raise ClaimkindError(f"{name}={getattr(config, name)}, expected 1 at least: correct it")
    if not config.search:
        raise ClaimkindError("search is empty, expected some settings to try: give search=tfidf, say")
    for key, where in config.search.items():
        known = field_names(TrainConfig)
        if key.split(".")[0] not in known:
            raise ClaimkindError(f"search names {key}, which is no setting; {nearest(key.split('.')[0], known)}")
        if not isinstance(where, Mapping) or set(where) not in ({"low", "high"}, {"low", "high", "log"}, {"choices"}):
            raise ClaimkindError(f"search.{key} is {where}, expected {_FORMS}: correct it")
        _check_range(key, where)
    # The ends of the space make a model each, so that a wrong name or type is told before the first trial.
    for end in ("low", "high"):
        chosen = {key: where[end] if end in where else where["choices"][0] for key, where in config.search.items()}
        build(_with_settings(config, chosen).model, "model", "claimkind.models")


def _check_range(key: str, where: Mapping[str, Any]) -> None:
    if "choices" in where:
        if not isinstance(where["choices"], Sequence) or not where["choices"]:
            raise ClaimkindError(f"search.{key} has no choices, expected a list of some: correct it")
        return
    low, high = where["low"], where["high"]
    if not (isinstance(low, int | float) and isinstance(high, int | float) and low <= high):
        raise ClaimkindError(f"search.{key} goes from {low} to {high}, expected numbers, the lower one first")
    if where.get("log") and low <= 0:
        raise ClaimkindError(f"search.{key} goes from {low} on a log scale, expected a number above 0")


def _study_name(config: TuneConfig, dataset: BuiltDataset) -> str:
    """The same for the same data, space and settings, however many trials and workers are asked for."""
    how = {entry.name for entry in fields(TuneConfig)} - {entry.name for entry in fields(TrainConfig)} - {"search"}
    settings = {key: value for key, value in asdict(config).items() if key not in how}
    family = str(config.model["_target_"]).split(".")[-2]
    return f"{family}-{dataset.name}-{fingerprint(settings | {'dataset': dataset.fingerprint})}"


def _open_study(config: TuneConfig, name: str) -> "optuna.Study":
    if config.storage.startswith("sqlite:///"):
        Path(config.storage.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    # Under a lock, since several workers may find no tables and make them; without the notes on what is experimental.
    with tracking.locked(config.storage), warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        storage = optuna.storages.RDBStorage(
            config.storage,
            engine_kwargs={"connect_args": {"timeout": 60}} if config.storage.startswith("sqlite") else None,
            heartbeat_interval=config.heartbeat_seconds,
            heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(),
        )
        return optuna.create_study(
            storage=storage,
            study_name=name,
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner() if config.prune else optuna.pruners.NopPruner(),
        )


def _parent_run(study: "optuna.Study", config: TuneConfig, name: str) -> str:
    with tracking.locked(name):
        if not tracking.is_there(study.user_attrs.get(_RUN_ID, "")):  # not yet, or not any more
            with tracking.start_run(config.experiment_name, f"search-{name}", {"kind": "search"}) as tracked:
                tracked.log_config(asdict(config), {"study": name, "storage": config.storage})
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
    with tracking.signals_raise():
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
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = _open_study(config, name)
    # Another seed for each worker and each call, or all would begin with the same settings.
    seed = config.seed + 1000 * worker + len(study.get_trials(deepcopy=False))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.sampler = optuna.samplers.TPESampler(multivariate=True, constant_liar=True, seed=seed)
    done = (TrialState.COMPLETE, TrialState.PRUNED)

    def objective(trial: "optuna.Trial") -> float:
        chosen = {key: _suggest(trial, key, where, name) for key, where in config.search.items()}
        evaluations = itertools.count(1)  # steps would not do: how many make an epoch depends on the batch size

        def report(_: int, metrics: Mapping[str, float]) -> None:
            if _WATCHED in metrics:
                trial.report(metrics[_WATCHED], next(evaluations))
                if config.prune and trial.should_prune():
                    raise Stopped

        try:
            return validate(_with_settings(config, chosen), f"trial-{trial.number}", parent_run_id, report)
        except Stopped:
            raise optuna.TrialPruned from None

    def stop_when_done(study: "optuna.Study", _: Any) -> None:
        if len(study.get_trials(deepcopy=False, states=done)) >= config.trials:
            study.stop()

    if len(study.get_trials(deepcopy=False, states=done)) < config.trials:
        study.optimize(objective, callbacks=[stop_when_done])


def _suggest(trial: "optuna.Trial", key: str, where: Mapping[str, Any], study: str) -> Any:
    try:
        if "choices" in where:
            return trial.suggest_categorical(key, where["choices"])
        low, high = where["low"], where["high"]
        if isinstance(low, int) and isinstance(high, int):
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
