"""The scoring engine: read in chunks, split documents into sentences, label, write, and lose nothing on the way."""

import contextlib
import itertools
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from tqdm import tqdm

from claimkind import __version__, models
from claimkind.config import ScoreConfig
from claimkind.errors import ClaimkindError, TooManyRejectedError
from claimkind.io.columns import rename_reserved_columns
from claimkind.io.readers import (
    TEXT_ENDINGS,
    Chunk,
    Columns,
    Rejected,
    count_rows,
    find_files,
    is_packed,
    kind_of,
    read_documents,
    read_rows,
)
from claimkind.io.writers import check_output, check_report
from claimkind.manifest import MANIFEST, sha256_file
from claimkind.models.base import Predictor
from claimkind.models.prediction import OUTPUT_COLUMNS, label_with_windows
from claimkind.scoring.journal import Journal, digest_of
from claimkind.scoring.report import write_report
from claimkind.scoring.summary import Summary
from claimkind.scoring.workers import predict_in_worker, set_worker_model, start_worker
from claimkind.text.sentences import split_sentences

_UNITS = ("auto", "document", "sentence")
_WORTH_A_POOL = 10.0  # seconds of work at hand from which on starting processes pays
_REPORTED = 20_000  # sentences of a report
_READ_AHEAD = 1 << 17  # rows by which that is judged
_HELD = 1 << 24  # characters of a part, and of the rows read ahead: so many, or little more, are in memory at once
_NUMBER = 8  # characters that a number counts for
_ADDED_COLUMNS = (*OUTPUT_COLUMNS, "windows")
_SPLIT_COLUMNS = ("document", "sentence", "paragraph", "start", "end")


class _Labeller(NamedTuple):
    """What labels the chunks."""

    classifier: Predictor
    folder: Path
    """Where it was loaded from, and where worker processes load it from."""
    processes: int | None


def run(config: ScoreConfig) -> Summary:
    """Score a file or a folder; see `configs/score.yaml`.

    What is done is kept in parts beside the output: cut off at any moment and run again, it goes on, and the output is
    the same, byte for byte, as if nothing had happened.

    Raises:
        ClaimkindError: the input, the output or the model is not as it should be, or too many rows cannot be scored.
    """
    from claimkind import tracking

    _check(config)
    journal = Journal(Path(config.output))
    files = find_files(Path(config.input), journal.written)
    _check_apart(config, files, journal)
    folder = tracking.fetch_folder(config.model_uri)
    classifier = models.load(folder)
    summary = Summary(tracking.fetch_reference(config.model_uri))
    kept: list[pd.DataFrame] = []
    stamps = _stamps(files)
    work = _work(config, files, folder, classifier.compute_dtype)
    with journal.opened(work), _progress(files, config) as progress:
        parts, done, size = 0, journal.done, _size_of_texts(files, config)
        for rows, rejected in _scored(_chunks(files, config), _Labeller(classifier, folder, config.processes), journal):
            parts += 1
            summary.add(rows, rejected, resumed=parts <= done)
            _advance(progress, summary, size)
            _check_rejected(summary, config)
            # A page of more than that no browser shows well, and memory must not grow with the input.
            if config.report and sum(map(len, kept)) < _REPORTED:
                kept.append(rows[: _REPORTED - sum(map(len, kept))])
        if not parts:
            raise ClaimkindError(f"input={config.input} holds no row to score, expected one at least: check it")
        if _stamps(files) != stamps:
            raise ClaimkindError(
                f"input={config.input} was changed while it was read, expected the same to the end: delete "
                f"{journal.folder} to start over"
            )
        journal.finish(parts)
    if not summary.rows:
        raise ClaimkindError(
            f"none of the {summary.rejected:,} rows of input={config.input} can be scored, expected some; see "
            f"{journal.rejected_path} for the reasons"
        )
    if config.report:
        write_report(
            Path(config.report),
            pd.concat(kept, ignore_index=True),
            title=_title(Path(config.input).stem, summary.rows),
            explained_by=classifier if config.explain else None,
        )
    print(summary.describe(journal.output, journal.rejected_path))  # noqa: T201
    return summary


def _check(config: ScoreConfig) -> None:
    if config.unit not in _UNITS:
        raise ClaimkindError(f"unit={config.unit} is unknown, expected one of {', '.join(_UNITS)}")
    if config.processes is not None and config.processes < 1:
        raise ClaimkindError(f"processes={config.processes}, expected 1 or more, or null")
    if config.chunk_size < 1:
        raise ClaimkindError(f"chunk_size={config.chunk_size}, expected 1 or more rows")
    if config.explain and not config.report:
        raise ClaimkindError("explain=true shows words in the report, expected one: give report=FILE.html too")
    check_output(Path(config.output))
    if config.report:
        check_report(Path(config.report))


def _check_apart(config: ScoreConfig, files: Sequence[Path], journal: Journal) -> None:
    """Refuse to overwrite the input; a report has an ending that neither input nor output has."""
    if {path.resolve() for path in files} & {path.resolve() for path in journal.written}:
        raise ClaimkindError(f"output={config.output} would overwrite input={config.input}: choose another name")


def _stamps(files: Sequence[Path]) -> list[tuple[int, int]]:
    """What changes with a file."""
    return [(about.st_size, about.st_mtime_ns) for about in (path.stat() for path in files)]


def _title(name: str, rows: int) -> str:
    return name if rows <= _REPORTED else f"{name}: the first {_REPORTED:,} of {rows:,} sentences"


def _work(config: ScoreConfig, files: Sequence[Path], folder: Path, compute_dtype: str) -> dict[str, str | int]:
    """What the output is made from, and how: parts made otherwise must not be mixed in."""
    return {
        "input": digest_of(files, _root(config)),
        "model": sha256_file(folder / MANIFEST)[:16],
        "version": __version__,
        "compute_dtype": compute_dtype,
        "unit": config.unit,
        "text_column": config.text_column,
        "id_column": config.id_column,
        "chunk_size": config.chunk_size,
    }


def _root(config: ScoreConfig) -> Path:
    """What the names of files are told from."""
    return Path(config.input) if Path(config.input).is_dir() else Path(config.input).parent


def _progress(files: Sequence[Path], config: ScoreConfig) -> Any:
    total = None if _any_split(files, config) else sum(count_rows(path) for path in files)
    return tqdm(total=total, unit=" rows", desc="scoring", delay=2)


def _size_of_texts(files: Sequence[Path], config: ScoreConfig) -> int | None:
    """About how many characters are to be split into sentences; None if rows are counted, or files are packed."""
    if not _any_split(files, config) or any(map(is_packed, files)):
        return None
    return sum(path.stat().st_size for path in files)


def _advance(progress: Any, summary: Summary, size: int | None) -> None:
    """Show how far it is; how many sentences there will be is told by those of the texts so far."""
    if summary.resumed == summary.rows:
        progress.initial = summary.resumed  # which is no speed of this run
    if size is not None and summary.characters:
        progress.total = max(summary.rows, round(summary.rows * size / summary.characters))
    progress.update(summary.rows - progress.n)


def _check_rejected(summary: Summary, config: ScoreConfig) -> None:
    if config.max_rejected is not None and summary.rejected > config.max_rejected:
        raise TooManyRejectedError(
            f"{summary.rejected:,} rows cannot be scored, max_rejected={config.max_rejected} allows fewer; see "
            f"rejected-*.jsonl in {Journal(Path(config.output)).folder}: mend the input, or raise max_rejected"
        )


def _is_split(path: Path, config: ScoreConfig) -> bool:
    return config.unit == "document" or (config.unit == "auto" and kind_of(path) in TEXT_ENDINGS)


def _any_split(files: Sequence[Path], config: ScoreConfig) -> bool:
    return any(_is_split(path, config) for path in files)


def _chunks(files: Sequence[Path], config: ScoreConfig) -> Iterator[Chunk]:
    """The sentences to be labelled, `chunk_size` at a time, whatever the files and documents that they come from."""
    return regroup(read_units(files, config), config.chunk_size)


def read_units(files: Sequence[Path], config: ScoreConfig) -> Iterator[Chunk]:
    """Read the rows to be labelled, with `text` and what the output says beside the label."""
    columns = Columns(config.text_column, config.id_column)
    root = _root(config)
    among_others = root == Path(config.input)
    any_split = _any_split(files, config)
    for path in files:
        split = _is_split(path, config)
        # Names of files can be anything, what we write is UTF-8.
        name = os.fsencode(path.relative_to(root).as_posix()).decode("utf-8", "backslashreplace")
        if kind_of(path) in TEXT_ENDINGS and split:
            chunks: Iterable[Chunk] = (read_documents(path, name),)
        else:
            chunks = read_rows(path, name, columns, config.chunk_size, among_others=among_others)
        for chunk in chunks:
            rows = chunk.rows
            if split:
                rows = split_documents(rows)
            elif any_split:
                rows = rows.rename(columns=rename_reserved_columns(rows.columns, _SPLIT_COLUMNS))
            yield Chunk(rows, chunk.rejected)


def regroup(chunks: Iterable[Chunk], size: int) -> Iterator[Chunk]:
    """Join small chunks and part large ones, so that each but the last holds `size` rows.

    Fewer where these are long, or where many are rejected: what is held does not grow with the input.
    """
    rows: list[pd.DataFrame] = []
    rejected: list[Rejected] = []
    held = size_held = 0
    for chunk in chunks:
        rejected += chunk.rejected
        for start in range(0, len(chunk.rows), size):
            rows.append(chunk.rows.iloc[start : start + size])
            held += len(rows[-1])
            size_held += _size_of(rows[-1])
            while held >= size:
                joined = pd.concat(rows, ignore_index=True)
                yield Chunk(joined[:size], rejected)
                rows, rejected, held = [joined[size:]], [], held - size
                size_held = _size_of(rows[0])
        if len(rejected) >= size or size_held >= _HELD:
            yield Chunk(_together(rows), rejected)
            rows, rejected, held, size_held = [], [], 0, 0
    if held or rejected:
        yield Chunk(_together(rows), rejected)


def _together(rows: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=["id", "text"], dtype=object)


def _size_of(rows: pd.DataFrame) -> int:
    """About how many characters all its columns hold."""
    return sum(sum(map(_length_of, rows[name])) for name in rows)


def _length_of(cell: Any) -> int:
    if isinstance(cell, str | bytes):
        return len(cell)
    return len(str(cell)) if isinstance(cell, dict | list) else _NUMBER


def split_documents(documents: pd.DataFrame) -> pd.DataFrame:
    """Sentences of documents: `document`, `sentence` and `paragraph` (from 0), `start`, `end`, `text`.

    Further columns of a document stand beside each of its sentences.
    """
    rows, origins = [], []
    for place, (name, text) in enumerate(zip(documents["id"], documents["text"], strict=True)):
        paragraph, before = 0, 0
        for number, sentence in enumerate(split_sentences(text)):
            # A line break in the gap before a sentence begins a paragraph.
            paragraph += number > 0 and "\n" in text[before : sentence.start]
            before = sentence.end
            rows.append((name, number, paragraph, *sentence))
            origins.append(place)
    # As objects: beside rows of tables, which have none, numbers would become fractions.
    sentences = pd.DataFrame(rows, columns=[*_SPLIT_COLUMNS, "text"], dtype=object)
    others = documents.drop(columns=["id", "text"])
    others = others.rename(columns=rename_reserved_columns(others.columns, _SPLIT_COLUMNS)).iloc[origins]
    return pd.concat([sentences, others.reset_index(drop=True)], axis=1)


def _scored(chunks: Iterator[Chunk], labeller: _Labeller, journal: Journal) -> Iterator[tuple[pd.DataFrame, int]]:
    """Each part's rows and the number of those rejected in it: read where it is done, else scored and kept."""
    done = journal.done
    for number in range(done):
        next(chunks, None)
        yield journal.read(number)
    for number, (chunk, labelled) in enumerate(_labelled(chunks, labeller), start=done):
        rows = _beside(chunk.rows, labelled)
        journal.write(number, rows, chunk.rejected)
        yield rows, len(chunk.rejected)


def _labelled(chunks: Iterator[Chunk], labeller: _Labeller) -> Iterator[tuple[Chunk, pd.DataFrame]]:
    """Label chunk after chunk while the next ones are read and the last ones written.

    A family that computes on one core gets a process for each core where that pays, which is not so for one that reads
    as fast as processes exchange texts; any other gets one thread, since it uses all cores by itself.
    """
    first = next(chunks, None)
    if first is None:
        return
    start = time.perf_counter()
    labelled = label_with_windows(labeller.classifier, first.rows["text"].tolist())
    seconds = (time.perf_counter() - start) / max(1, len(first.rows))
    yield first, labelled
    read = _read_ahead(chunks)
    worth = seconds * sum(len(chunk.rows) for chunk in read) > _WORTH_A_POOL
    with _pool(labeller, worth=worth) as (pool, ahead):
        waiting: deque[tuple[Chunk, Future[pd.DataFrame]]] = deque()
        for chunk in itertools.chain(read, chunks):
            with _uninterrupted():
                waiting.append((chunk, pool.submit(predict_in_worker, chunk.rows["text"].tolist())))
            if len(waiting) > ahead:
                done, future = waiting.popleft()
                yield done, future.result()
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result()


def _read_ahead(chunks: Iterator[Chunk]) -> list[Chunk]:
    read, rows, size = [], 0, 0
    while rows < _READ_AHEAD and size < _HELD and (chunk := next(chunks, None)):
        read.append(chunk)
        rows += len(chunk.rows)
        size += _size_of(chunk.rows)
    return read


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Workers that start here never hear of Ctrl-C: one that died of it could take a lock of the others along."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _cores() -> int:
    """Those that this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def _pool(labeller: _Labeller, *, worth: bool) -> Iterator[tuple[Executor, int]]:
    """Workers that hold the model, and how many chunks to keep ready for them.

    Raises:
        ClaimkindError: a worker died, which is found out on handing over a chunk or on waiting for one.
    """
    processes = labeller.processes or (_cores() if worth else 1)
    pool: Executor
    if labeller.classifier.single_threaded and processes > 1:
        spawn = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(processes, spawn, initializer=start_worker, initargs=(str(labeller.folder),))
        ahead = processes + 1
    else:
        set_worker_model(labeller.classifier)
        pool, ahead = ThreadPoolExecutor(1), 1
    try:
        yield pool, ahead
    except BrokenExecutor:
        raise ClaimkindError(
            "a worker process was killed, for want of memory perhaps; what is done is kept: give a lower processes or "
            "chunk_size, or run the same again"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _beside(rows: pd.DataFrame, labelled: pd.DataFrame) -> pd.DataFrame:
    """Rows with their labels; a column of the input with a name that we write ourselves becomes `input_<name>`."""
    renamed = rows.rename(columns=rename_reserved_columns(rows.columns, _ADDED_COLUMNS)).reset_index(drop=True)
    return pd.concat([renamed, labelled], axis=1)
