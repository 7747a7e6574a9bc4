"""PDF files: their text layer, with its lines joined to paragraphs."""

import io
import logging
import re
from collections import Counter
from collections.abc import Sequence

from claimkind.io.base import Format, UnreadableError
from claimkind.io.extras import import_extra, read_bytes, reading
from claimkind.io.input_file import InputFile
from claimkind.io.text import block_reader
from claimkind.text.blocks import BOILERPLATE, Block, ParsedText, Piece
from claimkind.text.line_breaks import line_ends
from claimkind.text.plain import parse_plain

_LOGGER = logging.getLogger(__name__)
_EDGE = 2  # lines at the top and the bottom of a page that may be repeated on each
_FEWEST_PAGES = 2
_HYPHEN = re.compile(r"(?<=[a-z])[-\u00ad]\n(?=[a-z])")


def read_document(file: InputFile, line_breaks: str) -> ParsedText:
    """Read the text layer; offsets count in the text that is read from it.

    Lines that most pages repeat at their top or bottom stand at the end of the text.

    Args:
        file: the file.
        line_breaks: see `join_hard_wraps`; `auto` joins the lines of paragraphs.

    Raises:
        UnreadableError: the file is no PDF, is encrypted, or has no text layer, or pypdf is not installed.
    """
    pages = _pages(file)
    empty = [str(number) for number, lines in enumerate(pages, 1) if not lines]
    if len(empty) == len(pages):
        raise UnreadableError("holds no text layer, as a scan: recognise its text first (OCR)")
    if empty:
        _LOGGER.warning("%s: no text on page %s", file.name, ", ".join(empty))
    repeated = _repeated(pages)
    lines = [line for page in pages for line in _without(page, repeated)]
    return _with_repeated(_parsed(lines, line_breaks), repeated)


def _pages(file: InputFile) -> list[list[str]]:
    """The lines of each page that are not blank."""
    pypdf = import_extra("pypdf", "pypdf")
    data = read_bytes(file)
    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns of each oddity of a file
    with reading(file):
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableError("is encrypted, expected a file without a password: save it without one")
        texts = [page.extract_text() for page in reader.pages]
    # A font without a table of its characters gives halves of characters that no file can hold.
    texts = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
    return [[line.strip() for line in text.splitlines() if line.strip()] for text in texts]


def _repeated(pages: Sequence[Sequence[str]]) -> list[str]:
    """Lines that stand at the top or the bottom of most pages, apart from their numbers; the first of each kind."""
    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for lines in pages:
        edges = {_shape(line): line for line in (*lines[:_EDGE], *lines[-_EDGE:])}
        counts.update(edges.keys())
        first = edges | first
    return [first[shape] for shape, count in counts.items() if count >= max(_FEWEST_PAGES, len(pages) / 2)]


def _shape(line: str) -> str:
    return re.sub(r"\d+", "0", line)


def _without(lines: Sequence[str], repeated: Sequence[str]) -> list[str]:
    shapes = set(map(_shape, repeated))
    last = len(lines) - _EDGE
    return [line for place, line in enumerate(lines) if _EDGE <= place < last or _shape(line) not in shapes]


def _parsed(lines: list[str], line_breaks: str) -> ParsedText:
    lines = _HYPHEN.sub("", "\n".join(lines)).split("\n")
    if line_breaks != "auto":
        return parse_plain("\n".join(lines), line_breaks)
    ends = [*line_ends(lines), ""]
    text = "".join(line + end for line, end in zip(lines, ends, strict=True))
    return parse_plain(text, "keep")._replace(is_joined=" " in ends)


def _with_repeated(parsed: ParsedText, repeated: Sequence[str]) -> ParsedText:
    text, blocks = parsed.text, list(parsed.blocks)
    for line in repeated:
        start = len(text) + 1
        text = f"{text}\n{line}"
        blocks.append(Block(BOILERPLATE, start, len(text), [Piece(start, len(text), line)]))
    return ParsedText(text, blocks, parsed.is_joined)


FORMAT = Format(block_reader(read_document), read_document=read_document)
