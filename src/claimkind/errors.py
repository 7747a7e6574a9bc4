"""What our own code raises."""


class ClaimkindError(Exception):
    """Bad input, told in one sentence: what was found, what was expected, what to do.

    Scripts print the sentence and exit with code 2; anything else that is raised is a fault of ours and keeps its
    traceback.
    """


class Stopped(Exception):  # noqa: N818 - it is no error
    """Training was ended on purpose, because its trial does not look promising."""
