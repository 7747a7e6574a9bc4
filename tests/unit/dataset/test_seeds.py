"""The committed seeds are as they should be."""

import hashlib
import json
from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from claimkind.dataset.annotations import read_document_labels
from claimkind.dataset.near_duplicates import normalise
from claimkind.dataset.sources.contrast import ContrastPairs
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


@pytest.fixture(scope="module")
def analyses():
    return SeedDocuments(str(SEEDS / "analysis"), str(SEEDS / "labels" / "analysis.jsonl")).read("analysis")


def closest(texts: Sequence[str], others: Sequence[str]) -> float:
    """The greatest Jaccard similarity of character 5-grams of a text and one of the others; every pair is compared."""
    grams = CountVectorizer(analyzer="char", ngram_range=(5, 5), binary=True, dtype=np.int64)
    counts = grams.fit_transform(map(normalise, [*texts, *others]))
    ours, theirs = counts[: len(texts)], counts[len(texts) :]
    both = (ours @ theirs.T).toarray()
    return float((both / (np.asarray(ours.sum(axis=1)) + np.asarray(theirs.sum(axis=1)).T - both)).max())


def test_the_analyses_are_far_from_the_users_article(analyses):
    # The build's threshold for near-duplicates is 0.7; unrelated sentences of English reach 0.15.
    documents = SeedDocuments(str(SEEDS / "documents"), str(SEEDS / "labels" / "documents.jsonl")).read("documents")
    article = documents.loc[documents["document"] == "article", "text"].tolist()
    assert closest(article, article) == 1.0
    assert closest(analyses["text"].tolist(), article) < 0.15
    assert analyses["document"].nunique() >= 24
    assert len(analyses) >= 900


def test_no_contrast_pair_is_near_a_pair_of_the_behaviour_suite():
    pairs = ContrastPairs(str(SEEDS / "contrast" / "pairs.jsonl"), "CC0-1.0").read("contrast")["text"].tolist()
    lines = (SEEDS / "behaviour" / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
    behaviour = [row[side] for row in map(json.loads, lines) for side in ("text", "edited")]
    assert closest(pairs, behaviour) < 0.7
