"""The scoring engine: read in chunks, split documents into sentences, label, write, and lose nothing on the way."""

import itertools
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from claimkind import __version__, models
from claimkind.config import ScoreConfig
from claimkind.errors import ClaimkindError, TooManyRejectedError
from claimkind.io.columns import rename_reserved_columns
from claimkind.io.dialects import parse_separator
from claimkind.io.files import Listing, list_files
from claimkind.io.input_file import InputFile
from claimkind.io.readers import count_rows
from claimkind.io.rows import Chunk, Rejected, chunk_of
from claimkind.io.stdin import open_path
from claimkind.io.writers import check_output, prepare_report
from claimkind.manifest import MANIFEST, sha256_file
from claimkind.models.attribution import check_installed
from claimkind.models.inference import Inference
from claimkind.models.prediction import OUTPUT_COLUMNS
from claimkind.scoring.inputs import ReadOptions, is_sentence, read_units, regroup, splits_any
from claimkind.scoring.journal import Journal, code_digest, digest_of
from claimkind.scoring.report import About, ReportRows, write_report
from claimkind.scoring.summary import Summary
from claimkind.scoring.workers import Labeller, label_chunks
from claimkind.text.blocks import SENTENCE

_LOGGER = logging.getLogger(__name__)
_ADDED_COLUMNS = (*OUTPUT_COLUMNS, "windows")


@dataclass(frozen=True)
class Job:
    """What is scored, with which model, and where to."""

    source: Path
    files: Sequence[InputFile]
    options: ReadOptions
    labeller: Labeller
    journal: Journal
    max_rejected: int | None
    """Rows that may be rejected before the run stops; None sets no limit."""
    unreadable: Sequence[Rejected] = ()
    """Files that were found, but cannot be opened."""

    @property
    def splits(self) -> bool:
        """Whether any text is split into sentences."""
        return splits_any(self.files, self.options)

    def fingerprint(self) -> dict[str, str | int]:
        """What the output depends on: parts that were made from something else must not be mixed in."""
        return {
            "input": digest_of(self.files),
            "model": sha256_file(self.labeller.folder / MANIFEST)[:16],
            "version": __version__,
            "code": code_digest(),
            "escape_formulas": self.journal.escape_formulas,
            "compute_dtype": self.labeller.classifier.compute_dtype,
            **vars(self.options),
        }


def run(config: ScoreConfig) -> Summary:
    """Score a file or a folder; see `configs/score.yaml`.

    Finished parts are kept next to the output. A run that is cut off at any moment goes on when it is started again,
    and the output is the same, byte for byte, as without the cut.

    Raises:
        ClaimkindError: the input, the output or the model is not as it should be, or too many rows are rejected.
    """
    options = ReadOptions(
        config.unit, config.text_column, config.id_column, config.chunk_size, parse_separator(config.separator),
        config.line_breaks, config.kinds,
    )  # fmt: skip
    _check_processes(config.processes)
    report = _prepare_report(config.report, explain=config.explain)
    with open_path(config.input) as source:
        journal = Journal(Path(config.output), escape_formulas=config.escape_formulas)
        listing = _check_files(source, journal, report)
        folder = fetch_folder(config.model_uri)
        only_kind = SENTENCE if options.kinds == "sentences" and splits_any(listing.files, options) else None
        inference = Inference(config.inference.backend, config.inference.precision)
        labeller = Labeller(models.load(folder, inference), folder, config.processes, only_kind)
        job = Job(source, listing.files, options, labeller, journal, config.max_rejected, listing.rejected)
        shown = ReportRows(split=job.splits)
        unit = "sentence" if job.splits else "row"
        summary = Summary(journal.output, journal.rejected_path, _fetch_reference(config.model_uri), unit=unit)
        summary.skipped = listing.skipped
        for rows in score(job, summary):
            if report:
                shown.add(rows)
    if report:
        title = shown.title(source.stem, summary.rows + summary.others.total())
        explained_by = labeller.classifier if config.explain else None
        about = _describe_run(config.model_uri, summary)
        write_report(report, shown.rows, title, explained_by=explained_by, about=about)
    return summary


def _describe_run(model_uri: str, summary: Summary) -> About:
    """What the report says about the run; a model that has an alias is named by its permanent URI too."""
    names = {model_uri: None}
    if not Path(model_uri).is_dir():
        from claimkind import tracking

        names |= {tracking.origin_of(model_uri).model_uri: None}
    today = datetime.now(tz=UTC).astimezone().date().isoformat()
    return About(", ".join(names), __version__, today, summary.labels, summary.problem_list())


def fetch_folder(model_uri: str) -> Path:
    """The local folder of a saved model; one that is given as a folder needs no MLflow."""
    if Path(model_uri).is_dir():
        return models.saved_folder(Path(model_uri))
    from claimkind import tracking  # imports MLflow

    return tracking.fetch_folder(model_uri)


def _fetch_reference(model_uri: str) -> Any:
    """The shares of labels that the training run of a model logged; None if there is none."""
    if Path(model_uri).is_dir():
        return None
    from claimkind import tracking

    return tracking.fetch_reference(model_uri)


def _check_processes(processes: int | None) -> None:
    if processes is not None and processes < 1:
        raise ClaimkindError(f"processes={processes}, expected 1 or more, or null")


def _prepare_report(report: str | None, *, explain: bool) -> Path | None:
    if explain and not report:
        raise ClaimkindError("explain=true shows words in the report, expected one: give report=FILE.html too")
    if explain:
        check_installed()
    if not report:
        return None
    prepare_report(Path(report))
    return Path(report)


def _check_files(source: Path, journal: Journal, report: Path | None) -> Listing:
    """Find the input's files, and refuse an output or a report that would overwrite one of them."""
    check_output(journal.output)
    reports = [report] if report else []
    listing = list_files(source, [*journal.written, *reports])
    inputs = {file.path.resolve() for file in listing.files}
    for name, path, written in (("output", journal.output, journal.written), ("report", report, reports)):
        if not inputs.isdisjoint(one.resolve() for one in written):
            raise ClaimkindError(f"{name}={path} would overwrite input={source}: choose another name")
    if journal.output.exists():
        _LOGGER.info("%s exists, and is replaced when scoring is complete", journal.output)
    return listing


def score(job: Job, summary: Summary) -> Iterator[pd.DataFrame]:
    """Score all files of a job and write the output.

    Args:
        job: what to score.
        summary: counts what is scored.

    Yields:
        The rows of each part, those that an earlier run scored included.

    Raises:
        ClaimkindError: the input holds no row, none can be scored, too many are rejected, or it changes meanwhile.
    """
    stamps = _stamps(job.files)
    with job.journal.opened(job.fingerprint()), _progress(job) as progress:
        parts, done = 0, job.journal.done
        size = _characters_to_split(job)
        for rows, rejected in _scored(job, summary.joined):
            parts += 1
            summary.add(rows, rejected, is_sentence(rows, split=job.splits), resumed=parts <= done)
            _advance(progress, summary, size)
            _check_rejected(summary.rejected, job)
            yield rows
        progress.total = progress.n  # rejected rows do not move the bar, and the number of sentences was an estimate
        if not parts:
            raise ClaimkindError(f"input={job.source} holds no row to score, expected one at least: check it")
        _check_unchanged(stamps, job)
        any_rows = summary.rows + summary.others.total() > 0
        job.journal.finish(parts, any_rows=any_rows)
    if not any_rows:
        raise ClaimkindError(
            f"none of the {summary.rejected:,} rows of input={job.source} can be scored: {summary.problems()}; see "
            f"{job.journal.rejected_path}"
        )


def _stamps(files: Sequence[InputFile]) -> list[tuple[int, int]]:
    """What changes when a file is changed."""
    return [(about.st_size, about.st_mtime_ns) for about in (file.path.stat() for file in files)]


def _check_unchanged(stamps: list[tuple[int, int]], job: Job) -> None:
    if _stamps(job.files) != stamps:
        raise ClaimkindError(
            f"input={job.source} was changed while it was read, expected the same to the end: delete "
            f"{job.journal.folder} to start over"
        )


def _check_rejected(rejected: int, job: Job) -> None:
    if job.max_rejected is not None and rejected > job.max_rejected:
        raise TooManyRejectedError(
            f"{rejected:,} rows cannot be scored, max_rejected={job.max_rejected} allows fewer; see "
            f"rejected-*.jsonl in {job.journal.folder}: correct the input, or raise max_rejected"
        )


def _progress(job: Job) -> Any:
    total = None if job.splits else sum(map(count_rows, job.files))
    return tqdm(total=total, unit=" sentences" if job.splits else " rows", desc="scoring", delay=2)


def _characters_to_split(job: Job) -> int | None:
    """About how many characters are split into sentences; None if rows are counted, or a file is compressed."""
    sizes = [file.size for file in job.files]
    return sum(filter(None, sizes)) if job.splits and None not in sizes else None


def _advance(progress: Any, summary: Summary, size: int | None) -> None:
    """Move the progress bar; the number of sentences to come is estimated from the texts so far."""
    if summary.resumed == summary.rows:
        progress.initial = summary.resumed  # which does not count for the speed of this run
    if size is not None and summary.characters:
        progress.total = max(summary.rows, round(summary.rows * size / summary.characters))
    progress.update(summary.rows - progress.n)


def _scored(job: Job, joined: Counter[str]) -> Iterator[tuple[pd.DataFrame, list[Rejected]]]:
    """The rows of each part and those rejected in it: read where it is done, else scored and written."""
    units = itertools.chain([chunk_of([], list(job.unreadable))], read_units(job.files, job.options, joined=joined))
    chunks = regroup(units, job.options.chunk_size)
    done = job.journal.done
    for number in range(done):
        next(chunks, None)
        yield job.journal.read(number)
    for number, (chunk, labelled) in enumerate(label_chunks(chunks, job.labeller), start=done):
        rows = with_labels(chunk, labelled, job.labeller.only_kind)
        job.journal.write(number, rows, chunk.rejected)
        yield rows, chunk.rejected


def with_labels(chunk: Chunk, labelled: pd.DataFrame, only_kind: str | None) -> pd.DataFrame:
    """Rows with their labels.

    A column of the input that has the name of an added one becomes `input_<name>`.

    Args:
        chunk: the rows.
        labelled: the labels of all rows, or of those of `only_kind` alone; the others have none then.
        only_kind: a value of the column `kind`.
    """
    renamed = chunk.rows.rename(columns=rename_reserved_columns(chunk.rows.columns, _ADDED_COLUMNS))
    if len(labelled) < len(renamed):
        places = np.flatnonzero(chunk.rows["kind"] == only_kind)
        labelled = labelled.astype({"windows": "Int64"}).set_index(places).reindex(range(len(renamed)))
    return pd.concat([renamed.reset_index(drop=True), labelled], axis=1)
