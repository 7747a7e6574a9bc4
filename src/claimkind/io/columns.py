"""Names of columns: how those of an input make room for ours."""

import re
from collections.abc import Iterable, Sequence


def rename_reserved_columns(columns: Iterable[str], ours: Sequence[str]) -> dict[str, str]:
    """New names for the columns of an input, so that none is lost: `input_<name>` where we write one of that name.

    What is called so already gets another `input_`, whether or not the input has the name itself: one part of an input
    may have it, and another not. Names are compared without regard to case, as Spark does.
    """
    taken = re.compile(f"(input_)*({'|'.join(map(re.escape, ours))})", re.IGNORECASE)
    return {name: f"input_{name}" if taken.fullmatch(name) else name for name in columns}
