"""How the cells of a CSV file are separated and quoted."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from claimkind.errors import ClaimkindError

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
_NAMES = {separator: name for name, separator in SEPARATORS.items()}
_MOST_LINES_ABOVE = 20
_DECLARED = re.compile(r'"?sep=(.)"?\s*')  # Excel's first line
_QUOTED_CELL = re.compile(r'^"(?:[^"]|"")*"$', re.MULTILINE)
_APOSTROPHES = re.compile(r"^'[^']*'$", re.MULTILINE)


@dataclass(frozen=True)
class Dialect:
    """A way to write CSV."""

    separator: str = ","
    quote: str | None = '"'
    """Around cells; None where quotation marks are part of the text."""
    escape: str | None = None
    """Before a quotation mark within a cell; None where it is doubled instead."""
    skips_blanks: bool = False
    """Whether a blank after a separator is no part of the cell."""
    skipped_lines: int = 0
    """Lines above the header."""

    def options(self) -> dict[str, Any]:
        """The arguments of `csv.reader`."""
        quoting = {"quotechar": self.quote} if self.quote else {"quoting": csv.QUOTE_NONE}
        blanks = {"skipinitialspace": self.skips_blanks}
        return {"delimiter": self.separator, "escapechar": self.escape, **blanks, **quoting}

    def is_unusual(self, usual_separator: str) -> bool:
        """Whether a file is not written as its ending suggests."""
        return (self.separator, self.quote, self.escape) != (usual_separator, '"', None)

    def __str__(self) -> str:
        quoting = f"quoted by {self.quote}" if self.quote else "not quoted"
        escaping = f", {self.escape} before a quotation mark" if self.escape else ""
        return f"cells separated by {_NAMES.get(self.separator, self.separator)}, {quoting}{escaping}"


def parse_separator(separator: str | None) -> str | None:
    r"""The character that a setting means: itself, a name of `SEPARATORS`, or \\t.

    Raises:
        ClaimkindError: it is neither a character nor such a name.
    """
    if separator is None:
        return None
    meant = SEPARATORS.get(separator, "\t" if separator == r"\t" else separator)
    if len(meant) != 1 or meant in '"\r\n':
        raise ClaimkindError(f"separator={separator!r}, expected one character, or one of {', '.join(SEPARATORS)}")
    return meant


def detect_dialect(lines: Sequence[str], separator: str | None = None, text_column: str = "text") -> Dialect:
    """Find the dialect in which the most lines form rows as long as the header.

    Args:
        lines: the first lines of a file, with their ends.
        separator: the separator, if it is known.
        text_column: a name in the header.
    """
    declared = _DECLARED.fullmatch(lines[0]) if lines else None
    skipped = 1 if declared else 0
    separator = separator or (declared[1] if declared else None)
    skipped += _lines_above_header(lines[skipped:], text_column, separator or "".join(SEPARATORS.values()))
    lines = lines[skipped:]
    candidates = [
        Dialect(one, quote, escape, _has_blanks(lines, one), skipped)
        for one in ([separator] if separator else SEPARATORS.values())
        for quote, escape in _quotings(lines, one)
    ]
    # Of equal dialects the first one counts, which is the most common.
    return max(candidates, key=lambda dialect: _score(lines, dialect))


def _lines_above_header(lines: Sequence[str], text_column: str, separators: str) -> int:
    """The number of lines above the first with the name of the column, as the title of a report; 0 if none has it."""
    between = f"[{re.escape(separators)}]"
    cell = re.compile(rf"(?:^|{between})\s*([\"']?){re.escape(text_column)}\1\s*(?:{between}|$)")
    quotes = 0  # an odd number of them is within a cell
    for number, line in enumerate(lines[:_MOST_LINES_ABOVE]):
        if quotes % 2 == 0 and cell.search(line.rstrip("\r\n")):
            return number
        quotes += line.count('"')
    return 0


def _has_blanks(lines: Sequence[str], separator: str) -> bool:
    """Whether a blank follows each separator of the header."""
    _, *cells = lines[0].split(separator) if lines else [""]
    return bool(cells) and separator.strip() != "" and all(cell.startswith(" ") for cell in cells)


def _quotings(lines: Sequence[str], separator: str) -> list[tuple[str | None, str | None]]:
    """The ways of quoting for which there is a sign in the text, the most common first."""
    cells = "\n".join(line.rstrip("\r\n").replace(separator, "\n") for line in lines)
    found: list[tuple[str | None, str | None]] = [('"', None)]
    if '\\"' in cells:
        found.append(('"', "\\"))
    if separator in "\t|" and not _QUOTED_CELL.search(cells):
        found.append((None, None))
    if '"' not in cells and len(_APOSTROPHES.findall(cells)) > 1:
        found.append(("'", None))
    return found


def _score(lines: Sequence[str], dialect: Dialect) -> tuple[bool, float, int]:
    """Whether there is more than one column; the share of good rows; the number of columns."""
    reader = csv.reader(lines, strict=True, **dialect.options())
    lengths = [length for length in _lengths(reader) if length]
    header = lengths[0] if lengths else 0
    good = sum(length == header for length in lengths) / max(1, len(lengths))
    return header > 1, good, header


def _lengths(reader: Iterator[list[str]]) -> Iterator[int]:
    """The number of cells of each record, -1 for a wrong one."""
    while True:
        try:
            yield len(next(reader))
        except StopIteration:
            return
        except csv.Error:
            yield -1
