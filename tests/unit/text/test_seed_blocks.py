"""The seed documents are plain prose: as Markdown and as text, all of it is sentences, as it was labelled."""

import pytest

from claimkind.text.front_matter import read_document
from claimkind.text.line_breaks import join_hard_wraps
from claimkind.text.markdown import parse_markdown
from claimkind.text.plain import parse_plain
from claimkind.text.sentences import split_sentences
from claimkind.text.shapes import labelled_passages
from tests.conftest import ROOT

DOCUMENTS = sorted((ROOT / "seeds" / "documents").glob("*.md"))


@pytest.mark.parametrize("parse", [parse_plain, parse_markdown])
def test_a_seed_document_gives_the_same_sentences_in_either_format(parse):
    for path in DOCUMENTS:
        text = read_document(path).text
        plain = [(*sentence, "sentence") for sentence in split_sentences(join_hard_wraps(text, "auto"))]
        assert [tuple(passage)[:4] for passage in labelled_passages(parse(text))] == plain, path.name
