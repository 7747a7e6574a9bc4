"""Word, PDF and Excel files."""

import datetime
import importlib
import zipfile

import pytest

from claimkind.errors import ClaimkindError
from claimkind.io.base import TableOptions
from claimkind.io.columns import Columns
from claimkind.io.files import find_files
from claimkind.io.readers import holds_documents, read_document, read_rows
from tests.unit.io.documents import write_bomb, write_docx, write_pdf


def rejection(path):
    (entry,) = read_document(find_files(path)[0]).chunk.rejected
    return entry.reason


def rows_of(path, columns=None):
    chunks = list(read_rows(find_files(path)[0], columns or Columns(), TableOptions()))
    return [row for chunk in chunks for row in chunk.rows.to_dict("records")], [r for c in chunks for r in c.rejected]


def write_xlsx(path, **sheets):
    import openpyxl

    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for title, rows in sheets.items():
        sheet = workbook.create_sheet(title)
        for row in rows:
            sheet.append(row)
    workbook.save(path)


def test_a_scan_is_rejected_and_a_blank_page_is_named(tmp_path, caplog):
    write_pdf(tmp_path / "scan.pdf", [[], []])
    assert rejection(tmp_path / "scan.pdf") == "holds no text layer, as a scan: recognise its text first (OCR)"
    write_pdf(tmp_path / "half.pdf", [["It rained."], []])
    assert read_document(find_files(tmp_path / "half.pdf")[0]).parsed.text == "It rained."
    assert "half.pdf: no text on page 2" in caplog.text


def test_an_encrypted_pdf_is_rejected(tmp_path):
    import pypdf

    write_pdf(tmp_path / "open.pdf", [["It rained."]])
    writer = pypdf.PdfWriter(tmp_path / "open.pdf")
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(tmp_path / "closed.pdf")
    assert rejection(tmp_path / "closed.pdf").startswith("is encrypted, expected a file without a password")


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path):
    write_bomb(tmp_path / "bomb.docx")
    assert rejection(tmp_path / "bomb.docx") == "is larger than 512 MiB when unpacked: split it"
    write_bomb(tmp_path / "bomb.xlsx")
    with pytest.raises(ClaimkindError, match=r"bomb\.xlsx is larger than 512 MiB when unpacked: split it"):
        rows_of(tmp_path / "bomb.xlsx")


@pytest.mark.parametrize(("ending", "package"), [(".docx", "python-docx"), (".pdf", "pypdf"), (".xlsx", "openpyxl")])
def test_a_missing_extra_is_one_sentence(ending, package, tmp_path, monkeypatch):
    path = tmp_path / f"in{ending}"
    path.write_bytes(b"")

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    sentence = f"needs {package}, expected the extra formats: pip install 'claimkind[formats]'"
    if holds_documents(find_files(path)[0]):
        assert rejection(path) == sentence
    else:
        with pytest.raises(ClaimkindError, match=r"in\.xlsx needs openpyxl, expected the extra formats"):
            rows_of(path)


def test_the_rows_of_a_sheet_are_those_of_a_table(tmp_path):
    day = datetime.datetime(2024, 3, 1)
    write_xlsx(
        tmp_path / "in.xlsx",
        One=[[], ["id", "text", "when"], [7, "It rained.", day], [], [8, None, day], [9, "Sun.", day, "too many"]],
        Empty=[],
    )
    rows, rejected = rows_of(tmp_path / "in.xlsx")
    assert rows == [{"id": "7", "text": "It rained.", "when": day}]
    assert [entry.reason for entry in rejected] == ["no text", "4 fields, expected 3"]


def test_rows_of_several_sheets_tell_theirs(tmp_path):
    write_xlsx(tmp_path / "in.xlsx", May=[["text"], ["It rained."]], June=[["text"], ["Sun."]], Notes=[["note"], ["x"]])
    rows, rejected = rows_of(tmp_path / "in.xlsx")
    assert [(row["sheet"], row["text"]) for row in rows] == [("May", "It rained."), ("June", "Sun.")]
    assert [entry.reason for entry in rejected] == ["no column 'text'"]


def test_a_sheet_without_the_column_of_text_is_refused(tmp_path):
    write_xlsx(tmp_path / "in.xlsx", One=[["sentence"], ["It rained."]])
    with pytest.raises(ClaimkindError, match=r"has no column 'text', expected one of its columns sentence"):
        rows_of(tmp_path / "in.xlsx")
    assert rows_of(tmp_path / "in.xlsx", Columns("sentence"))[0][0]["text"] == "It rained."


def test_files_in_an_archive_are_read_too(tmp_path):
    write_pdf(tmp_path / "a.pdf", [["It rained."]])
    write_docx(tmp_path / "b.docx")
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.write(tmp_path / "a.pdf", "a.pdf")
        archive.write(tmp_path / "b.docx", "b.docx")
    texts = [read_document(file).parsed.text for file in find_files(tmp_path / "in.zip")]
    assert texts[0] == "It rained." and "The depot closes" in texts[1]


def test_unit_sentence_takes_each_paragraph_of_a_word_file_as_a_row(tmp_path):
    write_docx(tmp_path / "in.docx")
    rows, _ = rows_of(tmp_path / "in.docx")
    assert [row["id"] for row in rows[:2]] == ["in.docx:0", "in.docx:1"]
    assert rows[2]["text"] == "The depot closes on 30 June. Most of us will miss it."


def test_rows_above_the_header_of_a_sheet_are_no_rows(tmp_path):
    write_xlsx(tmp_path / "in.xlsx", One=[["Stories of June"], [], ["id", "text"], [1, "It rained."], [2, "Sun."]])
    rows, rejected = rows_of(tmp_path / "in.xlsx")
    assert [(row["id"], row["text"]) for row in rows] == [("1", "It rained."), ("2", "Sun.")]
    assert not rejected
