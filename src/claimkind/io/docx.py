"""Word documents: paragraphs and tables of the body, with the kinds that their styles give."""

import io
import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

from claimkind.io.base import Format
from claimkind.io.extras import check_unpacked_size, import_extra, read_bytes, reading
from claimkind.io.input_file import InputFile
from claimkind.io.text import block_reader
from claimkind.text.blocks import BOILERPLATE, CODE, HEADING, LIST_ITEM, SENTENCE, TABLE, Block, ParsedText, Piece
from claimkind.text.shapes import is_prose, with_kinds_by_shape
from claimkind.text.visible import is_blank

# First words of the names of Word's own styles, which are English in every file.
_STYLES = {
    "heading": HEADING, "title": HEADING, "subtitle": HEADING, "list": LIST_ITEM, "caption": BOILERPLATE,
    "toc": BOILERPLATE, "header": BOILERPLATE, "footer": BOILERPLATE, "footnote": BOILERPLATE, "endnote": BOILERPLATE,
    "bibliography": BOILERPLATE, "html preformatted": CODE, "code": CODE, "source code": CODE, "macro": CODE,
}  # fmt: skip
# Deleted and hidden text is no part of the document, and that of a text box is not of the paragraph it hangs on.
_HIDDEN = "./w:rPr/w:vanish[not(@w:val='0' or @w:val='false')]"
_RUNS = f".//w:r[not(ancestor::w:del or ancestor::w:moveFrom or ancestor::w:txbxContent or {_HIDDEN})]"


class _Paragraph(NamedTuple):
    text: str
    kind: str
    bold: bool = False
    separator: str = "\n\n"
    """What stands before it in the text of the document."""


def read_document(file: InputFile, line_breaks: str) -> ParsedText:
    """Read the body of a document; offsets count in its text, in which a blank line stands between two paragraphs.

    Args:
        file: the file.
        line_breaks: without effect, since paragraphs are marked in the file.

    Raises:
        UnreadableError: the file is no Word document, or python-docx is not installed.
    """
    docx = import_extra("docx", "python-docx")
    data = read_bytes(file)
    with reading(file):
        check_unpacked_size(data)
        document = docx.Document(io.BytesIO(data))
        return _parsed(_paragraphs(document.element.body, {style.style_id: style.name for style in document.styles}))


def _parsed(paragraphs: Iterator[_Paragraph]) -> ParsedText:
    text = io.StringIO()
    blocks: list[Block] = []
    for paragraph in paragraphs:
        if is_blank(paragraph.text):
            continue
        text.write(paragraph.separator if blocks else "")
        start = text.tell()
        text.write(paragraph.text)
        piece = Piece(start, text.tell(), paragraph.text)
        begins = paragraph.separator != "\t"
        blocks.append(Block(paragraph.kind, piece.start, piece.end, [piece], begins, bold=paragraph.bold))
    return ParsedText(text.getvalue(), with_kinds_by_shape(blocks))


def _paragraphs(parent: Any, styles: dict[str, str]) -> Iterator[_Paragraph]:
    for child in parent.iterchildren():
        name = _name_of(child)
        if name == "p":
            yield _paragraph(child, styles)
        elif name == "tbl":
            yield from _table(child, styles)
        elif name in ("sdt", "sdtContent", "ins", "customXml"):  # frames around paragraphs
            yield from _paragraphs(child, styles)


def _name_of(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _paragraph(element: Any, styles: dict[str, str]) -> _Paragraph:
    runs = [run for run in element.xpath(_RUNS) if run.text]
    style = styles.get(element.style or "", "").lower()
    kind = next((kind for name, kind in _STYLES.items() if style.startswith(name)), SENTENCE)
    if kind == SENTENCE and element.xpath("./w:pPr/w:numPr"):
        kind = LIST_ITEM
    bold = all(run.xpath("./w:rPr/w:b[not(@w:val='0' or @w:val='false')]") for run in runs if run.text.strip())
    return _Paragraph("".join(run.text for run in runs).strip(), kind, bold)


def _table(element: Any, styles: dict[str, str]) -> Iterator[_Paragraph]:
    """The cells of a table; one that holds prose only arranges the page."""
    rows = [
        [cell for child in row.iterchildren() if _name_of(child) == "tc" for cell in _paragraphs(child, styles)]
        for row in element.iterchildren()
        if _name_of(row) == "tr"
    ]
    rows = [[cell for cell in row if cell.text] for row in rows]
    if is_prose(cell.text for cell in itertools.chain(*rows)):
        yield from itertools.chain(*rows)
        return
    for number, row in enumerate(rows):
        for place, cell in enumerate(row):
            yield cell._replace(kind=TABLE, separator="\t" if place else "\n" if number else "\n\n")


FORMAT = Format(block_reader(read_document), read_document=read_document)
