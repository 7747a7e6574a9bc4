"""The trials of a search, and the processes that work on them."""

import itertools
import logging
import multiprocessing
import os
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from claimkind import tracking
from claimkind.errors import ClaimkindError, TrainingPruned
from claimkind.models.base import OnMetrics
from claimkind.training.names import settings_in_words
from claimkind.training.pipeline import Parent, validate
from claimkind.training.plan import plan
from claimkind.training.search_space import Space, suggest, with_values
from claimkind.training.study import (
    METRIC,
    Storage,
    open_study,
    optuna,
    run_id_of,
    trial_name,
    without_experimental_warnings,
)

_LOGGER = logging.getLogger(__name__)
_MAX_FAILURES = 5
"""After this number of failed trials in a row, a process takes the settings to be wrong and stops."""


class Search(NamedTuple):
    """What the processes of a search need to know: plain values, since each gets a copy."""

    study: str
    """Name of the study."""
    storage: Storage
    space: Space
    training: Mapping[str, Any]
    """Settings of a training by name; each trial replaces those in `space`."""
    trials: int
    """Number of finished trials at which the search ends."""
    prune: bool
    """Whether to stop trials that are worse than the median of the earlier ones."""


class _FailedTrialError(Exception):
    """A trial failed; the search continues with other settings."""


def work_in_processes(search: Search, workers: int) -> None:
    """Work on the trials of a search until enough are finished, in this process or in several workers.

    Raises:
        ClaimkindError: a worker failed, or trials keep failing.
    """
    if workers < 2:
        return _work(search)
    context = multiprocessing.get_context("spawn")
    level = logging.getLogger().getEffectiveLevel()
    processes = [
        context.Process(target=_work_in_process, args=(search, number, workers, level)) for number in range(workers)
    ]
    with tracking.exit_on_signals():
        try:
            for process in processes:
                process.start()
            for process in processes:
                process.join()
        finally:  # no worker may outlive this process
            for process in processes:
                if process.is_alive():
                    process.terminate()
    if any(process.exitcode for process in processes):
        raise ClaimkindError("a worker of the search failed, see its message above: run the command again to go on")


def _work_in_process(search: Search, worker: int, workers: int, log_level: int) -> None:
    """Work on trials in a process of its own, which logs to stderr as the script does."""
    logging.basicConfig(level=log_level, format="%(message)s")
    try:
        _work(search, worker, workers)
    except ClaimkindError as error:
        _LOGGER.error("error: %s", error)
        sys.exit(error.exit_code)


def _work(search: Search, worker: int = 0, workers: int = 1) -> None:
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers))
    study = open_study(search.study, search.storage, prune=search.prune)
    # Each worker and each call has another seed, or all would begin with the same settings.
    seed = int(search.training["seed"]) + 1000 * worker + len(study.get_trials(deepcopy=False))
    with without_experimental_warnings():
        study.sampler = optuna.samplers.TPESampler(multivariate=True, constant_liar=True, seed=seed)
    if not _is_done(study, search.trials):
        objective = _Objective(search, run_id_of(study))
        study.optimize(objective, callbacks=[objective.after_trial], catch=(_FailedTrialError,))


def _is_done(study: "optuna.Study", trials: int) -> bool:
    """Whether enough trials are finished, in whichever process."""
    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return len(study.get_trials(deepcopy=False, states=states)) >= trials


class _Objective:
    """The objective of the study: one training for each trial."""

    def __init__(self, search: Search, parent_run_id: str) -> None:
        self.search, self.parent_run_id = search, parent_run_id
        self.failures: list[_FailedTrialError] = []
        """The failed trials since the last one that did not fail."""

    def __call__(self, trial: "optuna.Trial") -> float:
        """Macro F1 on validation with the settings that Optuna suggests."""
        values = suggest(trial, self.search.space, self.search.study)
        name = tracking.SEPARATOR.join([trial_name(trial), *settings_in_words(values)])
        try:
            planned = plan(with_values(self.search.training, values))
            parent = Parent(self.parent_run_id, self.search.study)
            score = validate(planned, name, parent, _report_to(trial, prune=self.search.prune))
        except TrainingPruned:
            self.failures.clear()
            _LOGGER.info("%s pruned", name)
            raise optuna.TrialPruned from None
        except (ClaimkindError, RuntimeError, MemoryError) as error:  # PyTorch raises RuntimeError when out of memory
            _LOGGER.warning("%s failed: %s", name, error)
            self.failures.append(_FailedTrialError(str(error)))
            raise self.failures[-1] from None
        self.failures.clear()
        _LOGGER.info("%s: validation macro F1 %.3f", name, score)
        return score

    def after_trial(self, study: "optuna.Study", _: Any) -> None:
        """Stop the search when enough trials are finished.

        Raises:
            ClaimkindError: too many trials failed in a row.
        """
        if _is_done(study, self.search.trials):
            study.stop()
        elif len(self.failures) >= _MAX_FAILURES:
            raise ClaimkindError(f"{_MAX_FAILURES} trials in a row failed, the last one because {self.failures[-1]}")


def _report_to(trial: "optuna.Trial", *, prune: bool) -> OnMetrics:
    """A callback that reports the metrics of a training to Optuna, and ends the training if the trial is pruned."""
    evaluations = itertools.count(1)  # not steps: their number in an epoch depends on the batch size

    def report(_: int, metrics: Mapping[str, float]) -> None:
        if METRIC in metrics:
            trial.report(metrics[METRIC], next(evaluations))
            if prune and trial.should_prune():
                raise TrainingPruned

    return report
