"""What was scored already: parts and a journal beside the output, so that a run that was cut off goes on."""

import contextlib
import errno
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pandas as pd
from filelock import FileLock, Timeout

from claimkind.errors import ClaimkindError
from claimkind.io.readers import Rejected
from claimkind.io.writers import join_parts, make_folder, read_part, write_part
from claimkind.manifest import atomic_write

_JOURNAL = "journal.json"


class Journal:
    """The parts of one output. A part is there when its rows are: they are written last, in one step."""

    def __init__(self, output: Path) -> None:
        """Of an output; its parts are in a folder of the same name and `.parts`."""
        self.output = output
        self.folder = output.with_name(f"{output.name}.parts")
        self.gone = output.with_name(f".{output.name}.parts.gone")
        self.rejected_path = output.with_name(f"{output.name}.rejected.jsonl")

    @property
    def written(self) -> tuple[Path, ...]:
        """All files and folders that scoring into this output writes."""
        return self.output, self.rejected_path, self.folder, self.gone

    @contextlib.contextmanager
    def opened(self, work: Mapping[str, Any]) -> Iterator[Self]:
        """Begin, or go on where an earlier run was cut off.

        Args:
            work: what the output is made from: digests of input and model, and the options.

        Raises:
            ClaimkindError: the output's folder cannot be made, another process is writing this output, what was begun
                is made from something else, or the disk is full.
        """
        make_folder(self.folder, f"output={self.output}")
        lock = FileLock(self.folder / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise ClaimkindError(
                f"another process is writing {self.output}, expected none: wait for it, or give another output"
            ) from None
        try:
            self._check(work)
            yield self
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise ClaimkindError(
                f"the disk is full; {self.done} parts of {self.output} are kept: free some space and run the same again"
            ) from None
        finally:
            lock.release()

    def _check(self, work: Mapping[str, Any]) -> None:
        shutil.rmtree(self.gone, ignore_errors=True)  # of a run that was killed as it ended
        path = self.folder / _JOURNAL
        if not self.done:  # nothing is lost by beginning anew
            for notes in self.folder.glob("rejected-*.jsonl"):
                notes.unlink()
            with atomic_write(path) as draft:
                draft.write_text(json.dumps(work, indent=2) + "\n", encoding="utf-8")
            return
        try:
            begun = dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            raise ClaimkindError(
                f"{path} is missing or damaged, expected what the parts beside it are made from: delete the folder to "
                "start over, or give another output"
            ) from None
        changed = [name for name in work if begun.get(name) != work[name]]
        if changed:
            raise ClaimkindError(
                f"{self.folder} holds parts made with another {changed[0]} ({begun.get(changed[0])}, now "
                f"{work[changed[0]]}): delete the folder to start over, or give another output"
            )

    def _part(self, number: int) -> Path:
        return self.folder / f"part-{number:06d}{self.output.suffix.lower()}"

    def _notes(self, number: int) -> Path:
        return self.folder / f"rejected-{number:06d}.jsonl"

    @property
    def done(self) -> int:
        """How many parts are there; they were written in their order."""
        number = 0
        while self._part(number).is_file():
            number += 1
        return number

    def write(self, number: int, rows: pd.DataFrame, rejected: Sequence[Rejected]) -> None:
        """Keep a part."""
        if rejected:
            with atomic_write(self._notes(number)) as draft:
                draft.write_text("".join(json.dumps(r._asdict()) + "\n" for r in rejected), encoding="utf-8")
        write_part(rows, self._part(number))

    def read(self, number: int) -> tuple[pd.DataFrame, int]:
        """The rows of a part that is there, and how many were rejected in it."""
        notes = self._notes(number)
        rejected = notes.read_text(encoding="utf-8").count("\n") if notes.is_file() else 0
        return read_part(self._part(number)), rejected

    def finish(self, parts: int) -> None:
        """Join the parts into the output, and the notes on rejected rows beside it; then take the parts away."""
        notes = [self._notes(number) for number in range(parts) if self._notes(number).is_file()]
        if notes:
            join_parts(notes, self.rejected_path)
        else:
            self.rejected_path.unlink(missing_ok=True)
        join_parts([self._part(number) for number in range(parts)], self.output)
        # In one step: what is left of a folder must not pass for the parts of another run.
        self.folder.rename(self.gone)
        shutil.rmtree(self.gone)


def digest_of(files: Sequence[Path], root: Path) -> str:
    """16 hex digits that change with the bytes of any file, or with its path below `root`."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.relative_to(root).as_posix().encode("utf-8", "surrogateescape"))
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]
