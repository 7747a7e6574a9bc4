"""The one exception that our own checks raise."""


class ClaimkindError(Exception):
    """Bad input, told in one sentence: what was found, what was expected, what to do.

    Scripts print the sentence and exit with code 2; anything else that is raised is a fault of ours and keeps its
    traceback.
    """
