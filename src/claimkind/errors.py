"""The exceptions that our own code raises, and what those of others say."""

import errno
import re


class ClaimkindError(Exception):
    """Bad input, as one sentence: what was found, what was expected, what to do.

    Scripts print the sentence and exit with `exit_code`; any other exception is a bug and keeps its traceback.
    """

    exit_code = 2
    result: object = None
    """What was finished before the error, for the script to print; None if nothing was."""


class TooManyRejectedError(ClaimkindError):
    """More rows cannot be scored than the user allows."""

    exit_code = 1


class TrainingPruned(Exception):  # noqa: N818 - not an error
    """A search stopped a training early, because its trial does not look promising."""


def first_line(error: Exception) -> str:
    """The first line of an exception's message; the name of its class where the message is empty."""
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__


_FULL = (errno.ENOSPC, errno.EDQUOT)
_SAYS_FULL = re.compile(r"no space left on device|disk is full|disk quota exceeded", re.IGNORECASE)


def is_disk_full(error: BaseException) -> bool:
    """Whether an exception, or one that it was raised from, says that the disk is full."""
    found: BaseException | None = error
    while found is not None:
        if (isinstance(found, OSError) and found.errno in _FULL) or _SAYS_FULL.search(str(found)):
            return True
        found = found.__cause__ or found.__context__
    return False
