"""Pages of different make-up: each passage has the kind that a reader would give it, and stands where it is said to."""

import re
from pathlib import Path

import pytest

from claimkind.io.input_file import InputFile
from claimkind.io.readers import read_document
from claimkind.text.shapes import labelled_passages

PAGES = Path(__file__).parent / "pages"
NAMES = sorted(path.name.removesuffix(".kinds") for path in PAGES.glob("*.kinds"))


def passages_of(path):
    return list(labelled_passages(read_document(InputFile(path, path.name)).parsed))


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_the_expected_kinds(name):
    lines = (PAGES / f"{name}.kinds").read_text(encoding="utf-8").splitlines()
    expected = [tuple(line.replace("\\n", "\n").split("\t", 1)) for line in lines]
    assert [(passage.kind, passage.text) for passage in passages_of(PAGES / name)] == expected


@pytest.mark.parametrize("name", NAMES)
def test_offsets_lead_to_the_passage_in_the_source(name):
    parsed = read_document(InputFile(PAGES / name, name)).parsed
    for passage in labelled_passages(parsed):
        words = re.findall(r"[A-Za-z]{3,}", passage.text)
        source = parsed.text[passage.start : passage.end]
        # The words in their order, with nothing but markup and entities between them.
        assert re.search(".*?".join(map(re.escape, words)), source, re.DOTALL), (passage, source)
        assert source == source.strip()
        if not re.search(r"[<&*_`\[\]\\\n]|\s{2}", source):
            assert source == passage.text
