"""The committed seeds are as they should be."""

import hashlib

from claimkind.dataset.annotations import read_document_labels
from claimkind.dataset.sources.documents import SeedDocuments
from claimkind.text.front_matter import read_document
from tests.conftest import ROOT

SEEDS = ROOT / "seeds"
# Of the text as the user gave it, its missing final newline included.
ARTICLE_SHA256 = "03f6992c38de71df8b8f04da1f5e86890535d8766df2d19654f30842d682db15"


def test_the_users_article_is_byte_for_byte_what_the_user_gave():
    text = read_document(SEEDS / "documents" / "article.md").text
    assert hashlib.sha256(text.encode()).hexdigest() == ARTICLE_SHA256


def test_every_document_reads_and_every_sentence_is_labelled():
    rows = SeedDocuments(str(SEEDS / "documents"), str(SEEDS / "labels" / "documents.jsonl")).read("documents")
    assert rows["document"].nunique() >= 16
    assert rows["genre"].nunique() >= 5
    assert set(rows["label"]) == {"factual", "speculative", "opinion"}


def test_every_label_has_two_votes_or_three_and_follows_from_them():
    for annotation in read_document_labels(SEEDS / "labels" / "documents.jsonl").values():
        first, second, *third = annotation.votes
        assert [annotation.label] == (third if first != second else [first]), annotation.place
