"""The columns of an input: which hold its texts and ids, and new names for those whose name an output reserves."""

import re
from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

_ID = "id"


class Columns(NamedTuple):
    """Which columns of a table hold the text of a row and its id: names, or paths as `body.plain` in nested objects."""

    text: str = "text"
    id: str = _ID

    def has_id(self, columns: Container[str]) -> bool:
        """Whether there is a column of ids; the default one need not be there."""
        return self.id == _ID or is_among(self.id, columns)


def is_among(name: str, columns: Container[str]) -> bool:
    """Whether a name is that of a column, or a path that begins with one."""
    return name in columns or name.partition(".")[0] in columns


def rename_reserved_columns(columns: Iterable[str], reserved: Sequence[str]) -> dict[str, str]:
    """New names for the columns of an input, so that none is lost: a reserved name becomes `input_<name>`.

    A name of the form `input_<reserved>` gets another `input_` even if the input has no column of the reserved name:
    one part of an input may have it, and another not. Names are compared without regard to case, as Spark does.

    Args:
        columns: names of the columns of the input.
        reserved: names of the columns that are added to them.

    Returns:
        The new name of each column.
    """
    taken = re.compile(f"(input_)*({'|'.join(map(re.escape, reserved))})", re.IGNORECASE)
    return {name: f"input_{name}" if taken.fullmatch(name) else name for name in columns}
