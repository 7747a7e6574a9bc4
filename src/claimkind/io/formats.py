"""The file formats, by the ending of a file's name.

A new format is one module with a `FORMAT` and one line here.
"""

from claimkind.io import csv, docx, json, jsonl, parquet, pdf, text, xlsx
from claimkind.io.base import Format

FORMATS: dict[str, Format] = {
    ".txt": text.TEXT,
    ".md": text.MARKDOWN,
    ".html": text.HTML,
    ".htm": text.HTML,
    ".docx": docx.FORMAT,
    ".pdf": pdf.FORMAT,
    ".csv": csv.FORMAT,
    ".tsv": csv.INPUT_FORMAT,
    ".xlsx": xlsx.FORMAT,
    ".json": json.FORMAT,
    ".jsonl": jsonl.FORMAT,
    ".ndjson": jsonl.FORMAT,
    ".parquet": parquet.FORMAT,
}
OUTPUTS = {ending: entry.output for ending, entry in FORMATS.items() if entry.output}
