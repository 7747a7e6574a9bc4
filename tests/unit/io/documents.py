"""Word and PDF files that tests write."""

import io
import zipfile

_ESCAPES = str.maketrans({"(": r"\(", ")": r"\)", "\\": r"\\"})


def write_docx(path):
    import docx

    document = docx.Document()
    document.add_heading("Staff memo", level=0)
    document.add_paragraph("By Karin Dahl")
    document.add_paragraph("The depot closes on 30 June. Most of us will miss it.")
    document.add_heading("What we know", level=1)
    document.add_paragraph("Lockers: empty them", style="List Bullet")
    document.add_paragraph("The canteen stays open until 15 July.", style="List Bullet")
    table = document.add_table(rows=2, cols=2)
    for row, texts in zip(table.rows, (("Team", "New site"), ("Parcels", "Vik")), strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    document.add_paragraph("Figure 1: the new depot", style="Caption")
    last = document.add_paragraph("The move could ")
    insert(last, "take three weeks, ")
    last.add_run("no ").font.hidden = True
    last.add_run("or longer.")
    document.save(path)


def insert(paragraph, text):
    """Add a tracked insertion, and a tracked deletion."""
    import docx

    for tag, content in (("w:ins", "w:t"), ("w:del", "w:delText")):
        change = docx.oxml.OxmlElement(tag)
        run, words = docx.oxml.OxmlElement("w:r"), docx.oxml.OxmlElement(content)
        words.text = text if tag == "w:ins" else "not happen "
        words.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
        run.append(words)
        change.append(run)
        paragraph._p.append(change)


def write_pdf(path, pages):
    """Write a PDF of which each page holds some lines of text; a page without lines is blank."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for lines in pages:
        shown = " T* ".join(f"({line.translate(_ESCAPES)}) Tj" for line in lines)
        content = f"BT /F1 11 Tf 14 TL 60 780 Td {shown} ET"
        kids.append(f"{len(objects) + 1} 0 R")
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {len(objects) + 2} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>",
            f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        ]
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    out, places = io.BytesIO(), []
    out.write(b"%PDF-1.4\n")
    for number, body in enumerate(objects, 1):
        places.append(out.tell())
        out.write(f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1"))
    start = out.tell()
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode())
    out.write(f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode())
    path.write_bytes(out.getvalue())


def write_bomb(path):
    """Write a small .docx or .xlsx that unpacks to more than memory should hold."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("word/document.xml", "w") as stream:
        for _ in range(600):
            stream.write(bytes(1 << 20))
