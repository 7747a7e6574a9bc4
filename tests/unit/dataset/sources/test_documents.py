"""What is wrong with seeds is said with file and line."""

import json
import re

import pytest

from claimkind.dataset.rows import text_sha
from claimkind.dataset.sources.documents import SeedDocuments
from claimkind.errors import ClaimkindError
from claimkind.text.front_matter import read_document
from tests.conftest import label_document, write_document, write_labels

TEXT = "Rain fell on Arden.\n\nIt may rain again. The rain is dull.\n"
KINDS = ["factual", "speculative", "opinion"]


@pytest.fixture
def folder(tmp_path):
    write_document(tmp_path / "documents", "rain", TEXT)
    write_labels(tmp_path / "labels.jsonl", label_document("rain", TEXT, KINDS))
    return tmp_path


def read(folder):
    return SeedDocuments(str(folder / "documents"), str(folder / "labels.jsonl")).read("documents")


def rewrite_label(folder, line, **changes):
    path = folder / "labels.jsonl"
    rows = [json.loads(row) for row in path.read_text().splitlines()]
    rows[line - 1] |= changes
    write_labels(path, rows)


def test_each_sentence_is_a_row_with_its_place_and_label(folder):
    rows = read(folder)
    assert rows["label"].tolist() == KINDS
    assert [TEXT[start:end] for start, end in zip(rows["start"], rows["end"], strict=True)] == rows["text"].tolist()
    assert rows["id"].tolist() == ["rain:0-19", "rain:21-39", "rain:40-57"]
    assert set(rows["group"]) == {"rain"}
    assert set(rows["licence"]) == {"CC0-1.0"}


def expect(folder, pattern):
    with pytest.raises(ClaimkindError, match=pattern):
        read(folder)


def test_an_unlabelled_sentence_is_named_by_file_and_line(folder):
    path = folder / "labels.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    # Six lines of front matter, then the text: its third sentence stands on its third line.
    expect(folder, r"documents/rain\.md:9: the sentence at 40-57 \('The rain is dull\.'\) has no label")


def test_an_orphaned_label_is_named_by_file_and_line(folder):
    write_labels(folder / "labels.jsonl", [*label_document("rain", TEXT, KINDS), {"document": "snow", "start": 0,
                 "end": 4, "sha": "0", "label": "factual"}])  # fmt: skip
    expect(folder, r"labels\.jsonl:4: the label points at snow\[0:4\], which is no sentence")


def test_the_labels_say_where_sentences_are_whatever_the_splitter_does(folder):
    rows = [json.loads(row) for row in (folder / "labels.jsonl").read_text().splitlines()]
    together = "It may rain again. The rain is dull."
    rows[1:] = [{**rows[1], "end": rows[2]["end"], "sha": text_sha(together)}]
    write_labels(folder / "labels.jsonl", rows)
    assert read(folder)["text"].tolist() == ["Rain fell on Arden.", together]


@pytest.mark.parametrize(("start", "end"), [(10, 39), (20, 39), (21, 400)])
def test_a_span_that_overlaps_begins_with_a_blank_or_passes_the_end_is_refused(folder, start, end):
    rewrite_label(folder, 2, start=start, end=end)
    expect(folder, rf"labels\.jsonl:2: the label points at rain\[{start}:{end}\], which is no sentence of .*rain\.md")


def test_an_unknown_label_is_named_by_file_and_line(folder):
    rewrite_label(folder, 2, label="uncertain")
    expect(folder, r"labels\.jsonl:2: found the label 'uncertain', expected one of factual, speculative, opinion")


def test_an_unknown_vote_is_refused(folder):
    rewrite_label(folder, 3, votes=["opinion", "maybe"])
    expect(folder, r"labels\.jsonl:3: found the label 'maybe'")


@pytest.mark.parametrize("rule", ["9z", "2-advice"])
def test_a_rule_that_does_not_lead_to_the_label_is_refused(folder, rule):
    rewrite_label(folder, 2, rule=rule)
    expect(folder, rf"labels\.jsonl:2: the rule '{rule}' does not lead to speculative")


def test_a_label_without_a_field_is_refused(folder):
    path = folder / "labels.jsonl"
    path.write_text(re.sub(r'"start": 0, ', "", path.read_text(), count=1))
    expect(folder, r"labels\.jsonl:1: the label has no `start`")


def test_a_span_labelled_twice_is_refused(folder):
    rows = label_document("rain", TEXT, KINDS)
    write_labels(folder / "labels.jsonl", [*rows, rows[0]])
    expect(folder, r"labels\.jsonl:4: the span already has a label at .*labels\.jsonl:1")


def test_a_line_that_is_no_json_is_refused(folder):
    (folder / "labels.jsonl").write_text("{]\n")
    expect(folder, r"labels\.jsonl:1: found '\{\]', expected one JSON object a line")


def test_a_label_of_words_that_were_edited_since_is_refused(folder):
    write_document(folder / "documents", "rain", TEXT.replace("dull", "good"))
    expect(folder, r"labels\.jsonl:3: the sentence at .*rain\.md:9 was edited after it was labelled")


def test_a_document_without_front_matter_is_refused(folder):
    (folder / "documents" / "rain.md").write_text(TEXT)
    expect(folder, r"rain\.md:1: the front matter has no `title`, expected title, genre, origin, licence")


def test_front_matter_that_is_no_yaml_is_refused(folder):
    (folder / "documents" / "rain.md").write_text("---\ntitle: a: b\n---\n" + TEXT)
    expect(folder, r"rain\.md:1: the front matter is not valid YAML")


def test_a_document_that_is_not_utf8_is_refused(folder):
    (folder / "documents" / "rain.md").write_bytes(b"---\ntitle: caf\xe9\n---\n")
    expect(folder, r"rain\.md: byte 14 is not UTF-8")


def test_a_folder_without_documents_is_refused(folder):
    (folder / "documents" / "rain.md").unlink()
    expect(folder, r"documents holds no \*\.md file")


def test_a_text_without_front_matter_is_read_whole(tmp_path):
    path = tmp_path / "plain.txt"
    path.write_bytes(b"--- a rule\r\nText.\r\n")
    assert read_document(path).text == "--- a rule\r\nText.\r\n"
    assert read_document(path).first_line == 1


def test_labels_in_another_encoding_are_named_by_file_and_line(folder):
    path = folder / "labels.jsonl"
    path.write_bytes(path.read_bytes() + '{"document": "Zürich"}\n'.encode("latin-1"))
    expect(folder, r"labels\.jsonl:4: found '\{\"document\": \"Z.rich\"\}', expected one JSON object a line in UTF-8")


def test_offsets_that_are_no_numbers_are_named_by_file_and_line(folder):
    rewrite_label(folder, 2, start="here")
    expect(folder, r"labels\.jsonl:2: the label is at 'here' to 39, expected two offsets in characters")
