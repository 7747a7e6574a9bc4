"""Labelling chunks of rows, in worker processes where that is faster."""

import contextlib
import itertools
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from threadpoolctl import threadpool_limits

from claimkind import models
from claimkind.errors import ClaimkindError
from claimkind.io.rows import Chunk
from claimkind.models.base import Predictor
from claimkind.models.prediction import label_with_windows
from claimkind.scoring.inputs import MOST_CHARACTERS, characters_of

_POOL_PAYS_FROM = 10.0  # seconds of work that is there, from which on starting processes pays
_ROWS_AHEAD = 1 << 17  # rows that are read to estimate the work
_worker: dict[str, Predictor] = {}


class Labeller(NamedTuple):
    """A model, and where to run it."""

    classifier: Predictor
    folder: Path
    """Where worker processes load it from."""
    processes: int | None
    """Worker processes; None starts one for each core where that pays."""
    only_kind: str | None = None
    """The kind of rows that are labelled (column `kind`); None labels all rows."""

    def texts(self, rows: pd.DataFrame) -> list[str]:
        """The texts of the rows that are labelled."""
        if self.only_kind is None or rows.empty:  # a part of which all rows were rejected has no column `kind`
            return list(rows["text"])
        return list(rows["text"][rows["kind"] == self.only_kind])


def label_chunks(chunks: Iterator[Chunk], labeller: Labeller) -> Iterator[tuple[Chunk, pd.DataFrame]]:
    """Label chunk after chunk while the next ones are read and the last ones are written.

    A single-threaded model gets a process for each core where that pays: it does not for a small input, nor for a model
    as fast as the exchange of texts between processes. Any other model gets one thread, since it uses all cores itself.

    Yields:
        Each chunk with the labels of its `labeller.texts`; see `label_with_windows`.

    Raises:
        ClaimkindError: a worker process was killed.
    """
    first = next(chunks, None)
    if first is None:
        return
    start = time.perf_counter()
    labelled = label_with_windows(labeller.classifier, labeller.texts(first.rows))
    seconds_per_row = (time.perf_counter() - start) / max(1, len(labelled))
    yield first, labelled
    ahead = _read_ahead(chunks)
    pays = seconds_per_row * sum(len(chunk.rows) for chunk in ahead) > _POOL_PAYS_FROM
    with _pool(labeller, labeller.processes or (_cores() if pays else 1)) as (pool, queued):
        texts = ((chunk, labeller.texts(chunk.rows)) for chunk in itertools.chain(ahead, chunks))
        yield from _labelled_in_order(texts, pool, queued)


def _labelled_in_order(
    chunks: Iterable[tuple[Chunk, list[str]]], pool: Executor, queued: int
) -> Iterator[tuple[Chunk, pd.DataFrame]]:
    waiting: deque[tuple[Chunk, Future[pd.DataFrame]]] = deque()
    for chunk, texts in chunks:
        with _without_interrupts():
            waiting.append((chunk, pool.submit(predict_in_worker, texts)))
        if len(waiting) > queued:
            done, future = waiting.popleft()
            yield done, future.result()
    for done, future in waiting:
        yield done, future.result()


def _read_ahead(chunks: Iterator[Chunk]) -> list[Chunk]:
    ahead, rows, characters = [], 0, 0
    while rows < _ROWS_AHEAD and characters < MOST_CHARACTERS and (chunk := next(chunks, None)):
        ahead.append(chunk)
        rows += len(chunk.rows)
        characters += characters_of(chunk.rows)
    return ahead


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Workers that start here never get Ctrl-C: one that died of it could take a lock of the others with it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _cores() -> int:
    """Cores that this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def _pool(labeller: Labeller, processes: int) -> Iterator[tuple[Executor, int]]:
    """Workers that hold the model, and how many chunks to queue for them."""
    pool: Executor
    if labeller.classifier.single_threaded and processes > 1:
        spawn = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(processes, spawn, initializer=start_worker, initargs=(str(labeller.folder),))
        queued = processes + 1
    else:
        set_worker_model(labeller.classifier)
        pool, queued = ThreadPoolExecutor(1), 1
    try:
        yield pool, queued
    except BrokenExecutor:
        raise ClaimkindError(
            "a worker process was killed, for lack of memory perhaps; what is done is kept: give a lower processes or "
            "chunk_size, or run the same again"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def set_worker_model(classifier: Predictor) -> None:
    """Set the model of this process for `predict_in_worker`."""
    _worker["model"] = classifier


def start_worker(folder: str) -> None:
    """Load the saved model of a new worker process, which uses one thread and ends with its parent."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    set_worker_model(models.load(Path(folder)))
    threadpool_limits(1)  # there is one worker for each core


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # the parent was killed, so no process waits for the result


def predict_in_worker(texts: list[str]) -> pd.DataFrame:
    """Label texts with the model of this process; see `label_with_windows`."""
    return label_with_windows(_worker["model"], texts)
