"""Pages of different make-up: each passage has the kind that a reader would give it, and stands where it is said to."""

import re
from pathlib import Path

import pytest

from claimkind.io.input_file import InputFile
from claimkind.io.readers import read_document
from claimkind.text.shapes import labelled_passages
from tests.unit.io.documents import write_docx, write_pdf

REVIEW = [
    [
        "Vik Harbour Authority", "Annual review of the harbour",
        "The harbour handled 4.1 million tonnes in 2023, which is a tenth more",
        "than in the year before. Most of the growth came from timber. The board",
        "believes that growth may slow, since two of the largest customers plan", "Page 1 of 2",
    ],
    [
        "Vik Harbour Authority", "a terminal of their own in the north.", "Outlook",
        "The new crane is a marvel. It could pay for itself within four ye-", "ars.", "Page 2 of 2",
    ],
]  # fmt: skip
PAGES = Path(__file__).parent / "pages"
NAMES = sorted(path.name.removesuffix(".kinds") for path in PAGES.glob("*.kinds"))


@pytest.fixture
def page(name, tmp_path):
    """The parsed text of a page."""
    path = PAGES / name
    if name.endswith((".docx", ".pdf")):
        path = tmp_path / name
        write_docx(path) if name.endswith(".docx") else write_pdf(path, REVIEW)
    return read_document(InputFile(path, path.name)).parsed


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_the_expected_kinds(name, page):
    lines = (PAGES / f"{name}.kinds").read_text(encoding="utf-8").splitlines()
    expected = [tuple(line.replace("\\n", "\n").split("\t", 1)) for line in lines]
    assert [(passage.kind, passage.text) for passage in labelled_passages(page)] == expected


@pytest.mark.parametrize("name", NAMES)
def test_offsets_lead_to_the_passage_in_the_source(page):
    for passage in labelled_passages(page):
        words = re.findall(r"[A-Z]?[a-z]{2,}", passage.text)
        source = page.text[passage.start : passage.end]
        # The words in their order, with nothing but markup and entities between them.
        assert re.search(".*?".join(map(re.escape, words)), source, re.DOTALL), (passage, source)
        assert source == source.strip()
        if not re.search(r"[<&*_`\[\]\\\n]|\s{2}", source):
            assert source == passage.text
