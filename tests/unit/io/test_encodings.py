"""Text files in UTF-8, UTF-16 and Windows-1252 are read; in any other encoding the file is refused as a whole."""

import logging

import pytest

from claimkind.errors import ClaimkindError
from claimkind.io.base import TableOptions
from claimkind.io.columns import Columns
from claimkind.io.input_file import InputFile
from claimkind.io.readers import read_document, read_rows

SENTENCE = "The café’s owner said – twice – that it may rain."
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]


def texts_of(path):
    chunks = read_rows(InputFile(path, path.name), Columns("text", "id"), TableOptions())
    return [text for chunk in chunks for text in chunk.rows["text"]]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("in.csv", f"id,text\r\n1,{SENTENCE}\r\n2,Sun.\r\n"),
        ("in.jsonl", f'{{"text": "{SENTENCE}"}}\n{{"text": "Sun."}}\n'),
        ("in.txt", f"{SENTENCE}\n\nSun.\n"),
    ],
)
def test_common_encodings_are_detected(encoding, name, content, tmp_path):
    (tmp_path / name).write_bytes(content.encode(encoding))
    assert texts_of(tmp_path / name) == [SENTENCE, "Sun."]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_document_is_decoded_too(encoding, tmp_path):
    (tmp_path / "in.txt").write_bytes(SENTENCE.encode(encoding))
    assert read_document(InputFile(tmp_path / "in.txt", "in.txt")).chunk.rows["text"].tolist() == [SENTENCE]


def test_one_accent_is_enough_to_detect_windows_1252_and_it_is_logged(tmp_path, caplog):
    (tmp_path / "in.csv").write_bytes("text,author\nSun.,René\n".encode("cp1252"))
    with caplog.at_level(logging.INFO):
        assert texts_of(tmp_path / "in.csv") == ["Sun."]
    assert caplog.messages == ["in.csv: read as Windows-1252"]


def test_utf8_is_not_logged(tmp_path, caplog):
    (tmp_path / "in.csv").write_text(f"id,text\n1,{SENTENCE}\n", encoding="utf-8")
    with caplog.at_level(logging.INFO):
        texts_of(tmp_path / "in.csv")
    assert not caplog.messages


@pytest.mark.parametrize("encoding", ["cp1251", "koi8_r", "cp932", "gb18030"])
def test_another_encoding_refuses_the_file_and_not_its_rows(encoding, tmp_path):
    sentence = {"cp932": "市議会は月曜日に会合を開いた。", "gb18030": "市议会周一开会。"}.get(
        encoding, "Совет города собрался в понедельник."
    )
    (tmp_path / "in.csv").write_bytes(("id,text\n" + f"1,{sentence}\n" * 20).encode(encoding))
    with pytest.raises(ClaimkindError, match=r"in\.csv looks like \w+, expected text in UTF-8, UTF-16 or Windows-1252"):
        texts_of(tmp_path / "in.csv")


def test_what_is_no_text_at_all_is_refused(tmp_path):
    (tmp_path / "in.csv").write_bytes(bytes(range(256)) * 20)
    with pytest.raises(ClaimkindError, match=r"in\.csv holds no text, expected text in UTF-8"):
        texts_of(tmp_path / "in.csv")


def test_a_broken_row_of_a_utf8_file_does_not_change_the_others(tmp_path):
    (tmp_path / "in.csv").write_bytes("text,n\nCafé.,1\nNaïve.,2\n".encode() + b"Ren\xe9.,3\n")
    assert texts_of(tmp_path / "in.csv") == ["Café.", "Naïve."]


PAGE = "<html><head><meta {}></head><body><p>{}</p></body></html>"


@pytest.mark.parametrize(
    ("encoding", "declared", "text"),
    [
        ("cp1251", 'http-equiv="Content-Type" content="text/html; charset=windows-1251"', "Совет одобрил бюджет."),
        ("iso8859-7", 'charset="ISO-8859-7"', "Το συμβούλιο συνεδρίασε."),
        ("shift_jis", "charset=Shift_JIS", "市議会は会合を開いた。"),
        ("cp1252", 'charset="iso-8859-1"', "The café’s owner said – twice – that it may rain."),
        ("utf-8", 'charset="iso-8859-1"', "A page in UTF-8 – whatever it declares – is read as it is."),
        ("cp1252", 'charset="rot13"', "The café’s owner left."),
    ],
)
def test_a_page_is_read_in_the_encoding_that_it_declares(encoding, declared, text, tmp_path):
    (tmp_path / "in.html").write_bytes(PAGE.format(declared, text).encode(encoding))
    (block,) = read_document(InputFile(tmp_path / "in.html", "in.html")).parsed.blocks
    assert block.text == text


def test_a_byte_order_mark_of_utf32_is_not_taken_for_utf16(tmp_path):
    (tmp_path / "in.csv").write_bytes(f"id,text\n1,{SENTENCE}\n".encode("utf-32"))
    assert texts_of(tmp_path / "in.csv") == [SENTENCE]
