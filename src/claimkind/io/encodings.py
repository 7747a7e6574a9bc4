"""The character encoding of text files: UTF-8, UTF-16, Windows-1252, or what an HTML page declares."""

import codecs
import logging
import re
from collections.abc import Iterator

import charset_normalizer

from claimkind.io.base import UnreadableError
from claimkind.io.input_file import InputFile

_LOGGER = logging.getLogger(__name__)
_PIECE = 1 << 20
_SAMPLE = 1 << 16  # bytes that charset-normalizer sees
_UTF8 = "utf-8-sig"  # which is UTF-8 with or without a byte order mark
_NAMES = {
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
    "cp1252": "Windows-1252",
}
_PAGES = (".html", ".htm")
_DECLARED = re.compile(rb"""<meta\s[^>]{0,200}?charset\s*=\s*["']?([\w:.-]{2,40})""", re.IGNORECASE)
_AS_BROWSERS_DO = {"iso8859-1": "cp1252", "ascii": "cp1252"}
_OTHERS = ["cp1252", "cp1251", "koi8_r", "cp932", "euc_jp", "gb18030", "big5", "euc_kr"]
_SURROGATES = (0xDC80, 0xDCFF)  # how Python marks bytes that are no UTF-8


def encoding_of(file: InputFile) -> str:
    """Detect the encoding of a text file, and log it where it is not UTF-8.

    A file is UTF-8 if it has a byte order mark of UTF-8, if all of it is valid UTF-8, or if most of its characters that
    are not ASCII are: then only the rows with other bytes are wrong. For other HTML pages, the encoding is what their
    `<meta charset>` says.

    Returns:
        The name of a codec.

    Raises:
        UnreadableError: the file is in none of these encodings.
    """
    with file.open() as stream:
        head = stream.read(_SAMPLE)
    encoding = _by_first_bytes(head) or (_UTF8 if _is_utf8(file) else _declared(file, head) or _legacy(file))
    if encoding != _UTF8:
        _LOGGER.info("%s: read as %s", file.name, _NAMES.get(encoding, encoding))
    return encoding


def _by_first_bytes(head: bytes) -> str | None:
    if head.startswith(codecs.BOM_UTF8):
        return _UTF8
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # Western text in UTF-16 has a zero in every second byte.
    zeros = [head[place::2].count(0) * 4 > len(head) for place in (0, 1)]
    return {(False, True): "utf-16-le", (True, False): "utf-16-be"}.get((zeros[0], zeros[1]))


def _declared(file: InputFile, head: bytes) -> str | None:
    """The encoding that an HTML page declares, if it is a known one other than UTF-8."""
    found = _DECLARED.search(head) if file.ending in _PAGES else None
    try:
        name = codecs.lookup(found[1].decode("ascii")).name if found else ""
        b"a".decode(name or "ascii")  # not every codec is an encoding of text
    except (LookupError, UnicodeError):
        return None
    return None if not name or name.startswith("utf") else _AS_BROWSERS_DO.get(name, name)


def _is_utf8(file: InputFile) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    valid = invalid = 0
    for piece in _pieces(file):
        text = decoder.decode(piece)
        if not text.isascii():
            wrong = sum(_SURROGATES[0] <= ord(character) <= _SURROGATES[1] for character in text)
            invalid += wrong
            valid += sum(character > "\x7f" for character in text) - wrong
    return invalid <= valid


def _pieces(file: InputFile) -> Iterator[bytes]:
    with file.open() as stream:
        while piece := stream.read(_PIECE):
            yield piece


def _legacy(file: InputFile) -> str:
    sample = b""
    for piece in _pieces(file):
        sample += b"\n".join(line for line in piece.split(b"\n") if not line.isascii())
        if len(sample) >= _SAMPLE:
            break
    found = charset_normalizer.from_bytes(sample[:_SAMPLE], cp_isolation=_OTHERS)
    # Short texts fit several encodings; where Windows-1252 is one of them, it is by far the most common.
    if any("cp1252" in match.could_be_from_charset for match in found):
        return "cp1252"
    best = found.best()
    guess = f"looks like {best.encoding}" if best else "holds no text"
    raise UnreadableError(f"{guess}, expected text in UTF-8, UTF-16 or Windows-1252: convert it")
