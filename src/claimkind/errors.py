"""What our own code raises."""


class ClaimkindError(Exception):
    """Bad input, told in one sentence: what was found, what was expected, what to do.

    Scripts print the sentence and exit with `exit_code`; anything else that is raised is a fault of ours and keeps its
    traceback.
    """

    exit_code = 2


class TooManyRejectedError(ClaimkindError):
    """More rows cannot be scored than a user allows."""

    exit_code = 1


class Stopped(Exception):  # noqa: N818 - it is no error
    """Training was ended on purpose, because its trial does not look promising."""
