"""The trials of a search, and the processes that work on them."""

import itertools
import logging
import multiprocessing
import sys
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from claimkind import tracking
from claimkind.errors import ClaimkindError, TrainingPruned
from claimkind.manifest import lock
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
    record_heartbeats,
    run_id_of,
    trial_name,
    without_experimental_warnings,
)

_LOGGER = logging.getLogger(__name__)
_WAIT_SECONDS = 0.5
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
        _work(search)
        return
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
    share_threads(workers)
    study = open_study(search.study, search.storage, prune=search.prune)
    # Each worker and each call has another seed, or all would begin with the same settings.
    seed = int(search.training["seed"]) + 1000 * worker + len(study.get_trials(deepcopy=False))
    with without_experimental_warnings():
        study.sampler = optuna.samplers.TPESampler(multivariate=True, constant_liar=True, seed=seed)
    objective = _Objective(search, run_id_of(study), Progress(search.trials, _count(study).finished))
    while _count(study).finished < search.trials:
        if not _try(study, objective, search.trials):  # enough trials run in other processes, but one may fail
            time.sleep(_WAIT_SECONDS)


def share_threads(workers: int) -> None:
    """Divide the threads of PyTorch, one for each core or `OMP_NUM_THREADS`, among the workers of a search."""
    import torch

    torch.set_num_threads(max(1, torch.get_num_threads() // workers))


def _try(study: "optuna.Study", objective: "_Objective", trials: int) -> bool:
    """Work on one trial, unless the finished and the running ones are enough; returns whether one was begun."""
    objective.start.acquire()
    try:
        running = {trial.number for trial in study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING])}
        record_heartbeats(study, running - objective.seen)
        objective.seen |= running
        with without_experimental_warnings():
            optuna.storages.fail_stale_trials(study)
        if sum(_count(study)) >= trials:
            return False
        study.optimize(objective, n_trials=1, callbacks=[objective.after_trial], catch=(_FailedTrialError,))
        return True
    finally:
        objective.start.release(force=True)


class _Count(NamedTuple):
    """The number of trials of a study, over all processes."""

    finished: int
    running: int


def _count(study: "optuna.Study") -> _Count:
    states = [trial.state for trial in study.get_trials(deepcopy=False)]  # read once: trials end meanwhile
    known = optuna.trial.TrialState
    return _Count(states.count(known.COMPLETE) + states.count(known.PRUNED), states.count(known.RUNNING))


class Progress:
    """What is logged after each trial: its number, the best so far, and the time left."""

    def __init__(self, trials: int, finished: int) -> None:
        """Begin.

        Args:
            trials: number at which the search ends.
            finished: number of trials that earlier calls finished.
        """
        self._trials, self._finished = trials, finished
        self._start = time.monotonic()

    def text(self, finished: int, best: float | None) -> str:
        """The progress in words, such as `trial 3 of 20, best so far 0.751, about 4 min left`.

        Args:
            finished: number of trials that are finished.
            best: the highest macro F1 on validation; None if no trial is complete.
        """
        parts = [f"trial {finished} of {self._trials}"]
        if best is not None:
            parts.append(f"best so far {best:.3f}")
        left = self._trials - finished
        if left > 0 and finished > self._finished:
            seconds = left * (time.monotonic() - self._start) / (finished - self._finished)
            parts.append(f"about {_duration(seconds)} left")
        return ", ".join(parts)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


class _Objective:
    """The objective of the study: one training for each trial."""

    def __init__(self, search: Search, parent_run_id: str, progress: Progress) -> None:
        self.search, self.parent_run_id, self.progress = search, parent_run_id, progress
        self.failures: list[_FailedTrialError] = []
        """The failed trials since the last one that did not fail."""
        self.seen: set[int] = set()
        """Numbers of the trials that ran at some time."""
        self.start = lock(f"start of a trial of {search.study} in {search.storage.address}")
        """Held while a process decides whether to begin a trial, and released when the trial has begun."""

    def __call__(self, trial: "optuna.Trial") -> float:
        """Macro F1 on validation with the settings that Optuna suggests."""
        self.start.release(force=True)
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
        """Log the progress.

        Raises:
            ClaimkindError: too many trials failed in a row.
        """
        complete = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
        best = max((trial.value or 0.0 for trial in complete), default=None)
        _LOGGER.info("%s", self.progress.text(_count(study).finished, best))
        if len(self.failures) >= _MAX_FAILURES:
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
