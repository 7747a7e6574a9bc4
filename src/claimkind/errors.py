"""The exceptions of claimkind, and what the messages of other exceptions mean."""

import contextlib
import errno
import re
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import requires


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
    """The first line of an exception's message; the name of its class where that is empty."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


_FULL = (errno.ENOSPC, errno.EDQUOT)
# SafeTensors, SQLite and, the last two, PyTorch say it in a text only.
_SAYS_FULL = re.compile(
    r"no space left on device|disk is full|disk quota exceeded|unexpected pos \d+ vs \d+|iostream error", re.IGNORECASE
)


def is_disk_full(error: BaseException) -> bool:
    """Whether an exception, or one that it was raised from, says that the disk is full."""
    found: BaseException | None = error
    while found is not None:
        if (isinstance(found, OSError) and found.errno in _FULL) or _SAYS_FULL.search(str(found)):
            return True
        found = found.__cause__ or found.__context__
    return False


@contextlib.contextmanager
def missing_packages_explained() -> Iterator[None]:
    """Name the extra that holds a package which is not installed.

    Raises:
        ClaimkindError: an extra of claimkind holds it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        extra = _extra_with(package)
        if extra is None:
            raise
        raise ClaimkindError(
            f"{package} is not installed, expected the extra {extra}: pip install 'claimkind[{extra}]'"
        ) from None


def _extra_with(package: str) -> str | None:
    """The smallest extra that holds a package, since some extras hold others."""
    entries = [re.match(r"([\w-]+).*extra == ['\"](\w+)['\"]", entry) for entry in requires("claimkind") or []]
    named = [(found[1].replace("-", "_").lower(), found[2]) for found in entries if found]
    sizes = Counter(extra for _, extra in named)
    return min((extra for name, extra in named if name == package.lower()), key=sizes.__getitem__, default=None)
