"""Finished parts and a journal next to the output, so that a run that was cut off goes on."""

import contextlib
import functools
import hashlib
import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import pandas as pd
from filelock import FileLock, Timeout

from claimkind.errors import ClaimkindError, is_disk_full
from claimkind.io.input_file import InputFile
from claimkind.io.rows import Rejected
from claimkind.io.writers import join_parts, make_folder, read_part, write_part
from claimkind.manifest import atomic_write, sha256_file

PACKAGE = Path(__file__).parents[1]
_LOGGER = logging.getLogger(__name__)
_JOURNAL = "journal.json"
_PARTS = "parts.jsonl"
_LOCK = ".lock"
# The files in the folder of parts, and their drafts.
_OWN = re.compile(r"\.lock|\.?(journal\.json|parts\.jsonl|part-\d{6}\.\w+|rejected-\d{6}\.jsonl)(\.part)?")


_CODE = ("labels.py", "io/**/*.py", "models/**/*.py", "scoring/**/*.py", "text/**/*.py")  # what an output depends on


class Part(NamedTuple):
    """A finished part, as the journal lists it."""

    rows: int
    sha256: str
    """Digest of the file with its rows."""
    rejected: str | None
    """Digest of the file with its rejected rows; None without any."""


class Journal:
    """The parts of one output.

    The journal lists each finished part with its digest, so that a part that was cut off by a power failure, or damaged
    later, is scored again.
    """

    def __init__(self, output: Path, *, escape_formulas: bool = False) -> None:
        """Open the journal of an output; its parts are in a folder of the same name with `.parts` added.

        Args:
            output: the file.
            escape_formulas: whether a CSV file gets an apostrophe before what is a formula for spreadsheets.
        """
        self.output, self.escape_formulas = output, escape_formulas
        self.folder = output.with_name(f"{output.name}.parts")
        self.gone = output.with_name(f".{output.name}.parts.gone")
        self.rejected_path = output.with_name(f"{output.name}.rejected.jsonl")
        self._parts: list[Part] = []

    @property
    def written(self) -> tuple[Path, ...]:
        """All files and folders that scoring into this output writes."""
        return self.output, self.rejected_path, self.folder, self.gone

    @contextlib.contextmanager
    def opened(self, fingerprint: Mapping[str, Any]) -> Iterator[Self]:
        """Begin, or go on where an earlier run was cut off.

        Args:
            fingerprint: what the output depends on: digests of input and model, and the options.

        Raises:
            ClaimkindError: the output's folder cannot be made, another process writes this output, the parts that are
                there depend on something else, files of others would be deleted, or the disk is full.
        """
        self._check_own()
        make_folder(self.folder, f"output={self.output}")
        lock = FileLock(self.folder / _LOCK, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise ClaimkindError(
                f"another process is writing {self.output}, expected none: wait for it, or give another output"
            ) from None
        try:
            self._begin(fingerprint)
            yield self
        except OSError as error:
            if not is_disk_full(error):
                raise
            raise ClaimkindError(
                f"the disk is full; {self.done} parts of {self.output} are kept: free some space and run the same again"
            ) from None
        finally:
            lock.release()

    def _begin(self, fingerprint: Mapping[str, Any]) -> None:
        _delete(self.gone)  # of a run that was killed as it ended
        self._find_parts()
        if self.done:
            self._check_same(fingerprint)
            return
        for notes in self.folder.glob("rejected-*.jsonl"):
            if _OWN.fullmatch(notes.name):
                notes.unlink()
        with atomic_write(self.folder / _JOURNAL) as draft:
            draft.write_text(json.dumps(fingerprint, indent=2) + "\n", encoding="utf-8")

    def _find_parts(self) -> None:
        """Keep the finished parts up to the first that is damaged."""
        listed = _read_list(self.folder / _PARTS)
        self._parts = []
        for number, part in enumerate(listed):
            if not self._is_whole(number, part):
                _LOGGER.warning("%s is damaged; it and the parts after it are scored again", self._part(number))
                break
            self._parts.append(part)
        with atomic_write(self.folder / _PARTS) as draft:
            draft.write_text("".join(json.dumps(part._asdict()) + "\n" for part in self._parts), encoding="utf-8")

    def _is_whole(self, number: int, part: Part) -> bool:
        written = self._part(number)
        return written.is_file() and (part.sha256, part.rejected) == (_digest(written), _digest(self._notes(number)))

    def _check_own(self) -> None:
        """Refuse to begin where files of others would be deleted or replaced."""
        for folder in (self.folder, self.gone):
            other = sorted(path.name for path in _files(folder) if not _OWN.fullmatch(path.name))
            if other:
                raise ClaimkindError(
                    f"{folder} holds {other[0]}, expected nothing but parts of {self.output}: move it away, or give "
                    "another output"
                )
        if self.rejected_path.exists() and not _holds_rejected(self.rejected_path):
            raise ClaimkindError(
                f"{self.rejected_path} exists and is no list of rejected rows, for which its name is reserved: move it "
                "away, or give another output"
            )

    def _check_same(self, fingerprint: Mapping[str, Any]) -> None:
        path = self.folder / _JOURNAL
        try:
            begun = dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            raise ClaimkindError(
                f"{path} is missing or damaged, expected what the parts next to it are made from: delete the folder to "
                "start over, or give another output"
            ) from None
        changed = [name for name in fingerprint if begun.get(name) != fingerprint[name]]
        if changed:
            raise ClaimkindError(
                f"{self.folder} holds parts made with another {changed[0]} ({begun.get(changed[0])}, now "
                f"{fingerprint[changed[0]]}): delete the folder to start over, or give another output"
            )

    def _part(self, number: int) -> Path:
        return self.folder / f"part-{number:06d}{self.output.suffix.lower()}"

    def _notes(self, number: int) -> Path:
        return self.folder / f"rejected-{number:06d}.jsonl"

    @property
    def done(self) -> int:
        """The number of finished parts; they are written in order."""
        return len(self._parts)

    def write(self, number: int, rows: pd.DataFrame, rejected: Sequence[Rejected]) -> None:
        """Write the next part, and which of its rows were rejected."""
        notes = self._notes(number)
        notes.unlink(missing_ok=True)  # of a part that is scored again
        if rejected:
            with atomic_write(notes, synced=False) as draft:
                draft.write_text("".join(json.dumps(r._asdict()) + "\n" for r in rejected), encoding="utf-8")
        write_part(rows, self._part(number), escape_formulas=self.escape_formulas)
        part = Part(len(rows), sha256_file(self._part(number)), sha256_file(notes) if rejected else None)
        with (self.folder / _PARTS).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(part._asdict()) + "\n")
        self._parts.append(part)

    def read(self, number: int) -> tuple[pd.DataFrame, list[Rejected]]:
        """The rows of a finished part, and those that were rejected in it."""
        notes = self._notes(number)
        lines = notes.read_text(encoding="utf-8").splitlines() if notes.is_file() else []
        rows = read_part(self._part(number), escape_formulas=self.escape_formulas)
        return rows, [Rejected(**json.loads(line)) for line in lines]

    def finish(self, parts: int, *, any_rows: bool) -> None:
        """Join the parts into the output, and the notes on rejected rows into another file; then delete the parts.

        Args:
            parts: their number.
            any_rows: whether there is a row in any part; without one no output is written.
        """
        notes = [self._notes(number) for number in range(parts) if self._notes(number).is_file()]
        if notes:
            join_parts(notes, self.rejected_path)
        else:
            self.rejected_path.unlink(missing_ok=True)
        if any_rows:
            join_parts([self._part(number) for number in range(parts)], self.output)
        # Renamed first: what is left of a half-deleted folder must not pass for the parts of another run.
        self.folder.rename(self.gone)
        _delete(self.gone)


def _read_list(path: Path) -> list[Part]:
    """The parts that a list names, up to a line that was cut off."""
    parts = []
    with contextlib.suppress(OSError, ValueError, TypeError, RecursionError):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            parts.append(Part(**json.loads(line)))
    return parts


def _digest(path: Path) -> str | None:
    """The sha256 of a file; None if there is none."""
    return sha256_file(path) if path.is_file() else None


def _files(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _delete(folder: Path) -> None:
    """Delete the files of a journal, then the folder, unless anything else is in it."""
    for path in _files(folder):
        if _OWN.fullmatch(path.name):
            path.unlink(missing_ok=True)  # another process may delete the same finished parts
    with contextlib.suppress(OSError):
        folder.rmdir()


def _holds_rejected(path: Path) -> bool:
    """Whether the first line of a file is a `Rejected`, as this module writes them."""
    try:
        with path.open("rb") as stream:
            row = json.loads(stream.readline(1 << 20))
    except (OSError, ValueError):
        return False
    return isinstance(row, dict) and tuple(row) == Rejected._fields


def digest_of(files: Sequence[InputFile]) -> str:
    """16 hex digits that change with the name and the bytes of any file."""
    paths = dict.fromkeys(file.path for file in files)  # each archive once, whatever the number of its files
    digest = hashlib.sha256("".join(f"{file.name}\n" for file in files).encode())
    for path in paths:
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]


@functools.cache
def code_digest() -> str:
    """16 hex digits that change with the code that an output depends on, also where the version stays the same."""
    digest = hashlib.sha256()
    for file in code_files():
        digest.update(f"{file.relative_to(PACKAGE).as_posix()}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def code_files() -> list[Path]:
    """The modules that an output depends on, in the order of their names."""
    return sorted(file for pattern in _CODE for file in PACKAGE.glob(pattern))
