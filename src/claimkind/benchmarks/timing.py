"""Timing backends: each is loaded and timed in a process of its own, and the backends take turns."""

import contextlib
import multiprocessing
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

Predict = Callable[[list[str]], np.ndarray]
"""Returns the probabilities of n texts, (n, 3), or their labels one-hot."""

_WARM_UP = 64  # texts that are labelled before the clock starts


class Backend(NamedTuple):
    """One implementation of prediction."""

    name: str
    load: Callable[[], Predict]
    """Loads the model. It is pickled, so it is a function of a module or a partial of one."""


class Timing(NamedTuple):
    """One measurement of a backend."""

    seconds: float
    probabilities: np.ndarray
    """(n, 3)."""


class Timings(NamedTuple):
    """All measurements of a backend."""

    seconds: list[float]
    probabilities: np.ndarray
    """(n, 3), of the first measurement."""

    @property
    def median(self) -> float:
        """Median of the seconds."""
        return statistics.median(self.seconds)


def time_backends(backends: Sequence[Backend], texts: list[str], rounds: int, busy: int = 0) -> dict[str, Timings]:
    """Time each backend on the same texts in several rounds.

    Args:
        backends: to time, in turn.
        texts: that each labels.
        rounds: number of measurements of each.
        busy: number of processes that keep a core busy meanwhile.

    Returns:
        By name of the backend.
    """
    measured: dict[str, list[Timing]] = {backend.name: [] for backend in backends}
    context = multiprocessing.get_context("spawn")
    with _other_work(busy):
        for _ in tqdm(range(rounds), desc=f"rounds of {len(backends)} backends"):
            for backend in backends:
                # Not a Pool, whose processes may not start processes of their own.
                with ProcessPoolExecutor(1, context) as pool:
                    measured[backend.name].append(pool.submit(_time, backend, texts).result())
    return {
        name: Timings([timing.seconds for timing in timings], timings[0].probabilities)
        for name, timings in measured.items()
    }


@contextlib.contextmanager
def _other_work(processes: int) -> Iterator[None]:
    working = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in working:
            process.kill()
            process.wait()


def _time(backend: Backend, texts: list[str]) -> Timing:
    predict = backend.load()
    predict(texts[:_WARM_UP])
    start = time.perf_counter()
    probabilities = predict(texts)
    return Timing(time.perf_counter() - start, probabilities)
