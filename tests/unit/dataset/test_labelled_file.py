from pathlib import Path

import pytest

from claimkind.dataset.labelled_file import LabelledFile, load_labelled_file
from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS

ROWS = "article,sentence,kind\na1,It opened in May.,fact\na1,It may close.,guess\na2,A farce.,view\n"
MEANINGS = {"fact": "factual", "guess": "speculative", "view": "opinion"}


def labelled(file: Path, **changes) -> LabelledFile:
    return LabelledFile(file, "sentence", "kind", "article", MEANINGS)._replace(**changes)


def test_a_labelled_file_is_a_test_split(tmp_path):
    (tmp_path / "reviews.csv").write_text(ROWS)
    dataset = load_labelled_file(labelled(tmp_path / "reviews.csv"))
    rows = dataset.splits["test"]
    assert (dataset.name, list(dataset.splits)) == ("reviews", ["test"])
    assert [LABELS[label] for label in rows["label"]] == list(LABELS)
    assert rows["text"][:] == ["It opened in May.", "It may close.", "A farce."]
    assert len(set(rows["group"][:])) == 2
    (tmp_path / "reviews.csv").write_text(ROWS.replace("May", "June"))
    assert load_labelled_file(labelled(tmp_path / "reviews.csv")).fingerprint != dataset.fingerprint


def test_the_three_names_need_no_meaning(tmp_path):
    (tmp_path / "mine.jsonl").write_text('{"text": "A farce.", "label": "opinion"}\n')
    file = LabelledFile(tmp_path / "mine.jsonl", "text", "label", None, {})
    assert load_labelled_file(file).splits["test"]["label"][:] == [LABELS.index("opinion")]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"labels": {}}, r"has the label 'fact', expected one of factual, speculative, opinion: map it"),
        ({"label_column": "nope"}, r"has no column 'nope', expected one of its columns article, sentence, kind"),
        ({"path": Path("nowhere.csv")}, r"input=nowhere\.csv is no file, expected a labelled table"),
        ({"labels": {"fact": "true"}}, r"^labels maps 'fact' to 'true', expected one of factual"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(changes, sentence, tmp_path):
    (tmp_path / "reviews.csv").write_text(ROWS)
    with pytest.raises(ClaimkindError, match=sentence):
        load_labelled_file(labelled(tmp_path / "reviews.csv", **changes))
