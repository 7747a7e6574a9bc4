"""JSON files of any make-up give the same rows."""

import json

import pytest

from claimkind.errors import ClaimkindError
from claimkind.io import json as reader
from claimkind.io.base import TableOptions
from claimkind.io.columns import Columns
from claimkind.io.input_file import InputFile
from claimkind.io.readers import read_rows

ROWS = [{"text": f"Sun, {n}. ]}}", "n": n, "tags": ["a", {"b": None}]} for n in range(50)]


def read(path, size=8192):
    chunks = list(read_rows(InputFile(path, path.name), Columns(), TableOptions(size)))
    return [text for chunk in chunks for text in chunk.rows["text"]], [r for chunk in chunks for r in chunk.rejected]


@pytest.mark.parametrize("piece", [1, 7, 1 << 16])
@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ROWS), json.dumps(ROWS, indent=2), "\n".join(map(json.dumps, ROWS)), "".join(map(json.dumps, ROWS)),
        "\n\n" + json.dumps(ROWS) + "\n",
    ],
)  # fmt: skip
def test_arrays_and_sequences_of_objects_are_rows(content, piece, tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "_PIECE", piece)
    (tmp_path / "in.json").write_text(content)
    assert read(tmp_path / "in.json", size=7) == ([row["text"] for row in ROWS], [])


def test_one_object_is_one_row(tmp_path):
    (tmp_path / "in.json").write_text(json.dumps(ROWS[3], indent=4))
    assert read(tmp_path / "in.json")[0] == [ROWS[3]["text"]]


def test_what_is_no_object_is_rejected(tmp_path):
    (tmp_path / "in.json").write_text('[{"text": "Sun."}, 7, "Fog.", null, {"text": "Rain."}]')
    texts, rejected = read(tmp_path / "in.json")
    assert texts == ["Sun.", "Rain."]
    assert [(entry.row, entry.reason) for entry in rejected] == [(n, "no JSON object") for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('[{"text": "Sun."}, {"text": ', "is no JSON from some row on"), ('[{"text": "Sun."}', "is cut off within"),
        ("text\nSun.\n", "is no JSON from some row on"), ("[,]", "is no JSON from some row on"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused(content, reason, tmp_path):
    (tmp_path / "in.json").write_text(content)
    with pytest.raises(ClaimkindError, match=rf"in\.json {reason}"):
        read(tmp_path / "in.json")


@pytest.mark.parametrize(
    ("content", "column"),
    [
        ({"count": 2, "articles": [{"text": "Sun."}, {"text": "Fog."}]}, "text"),
        ({"data": {"items": [{"body": {"plain": "Sun."}}, {"body": {"plain": "Fog."}}]}}, "body.plain"),
        ({"hits": {"hits": [{"_source": {"text": "Sun."}}, {"_source": {"text": "Fog."}}]}}, "_source.text"),
    ],
)
def test_an_array_within_an_object_gives_the_rows(content, column, tmp_path):
    (tmp_path / "in.json").write_text(json.dumps(content))
    chunks = list(read_rows(InputFile(tmp_path / "in.json", "in.json"), Columns(column), TableOptions()))
    assert [text for chunk in chunks for text in chunk.rows["text"]] == ["Sun.", "Fog."]


def test_an_object_with_a_text_is_a_row_whatever_lists_it_holds(tmp_path):
    (tmp_path / "in.json").write_text(json.dumps({"text": "Sun.", "comments": [{"text": "Fog."}]}))
    assert read(tmp_path / "in.json")[0] == ["Sun."]


def test_an_object_with_two_lists_of_texts_is_a_row(tmp_path):
    (tmp_path / "in.json").write_text(json.dumps({"a": [{"text": "Sun."}], "b": [{"text": "Fog."}]}))
    texts, rejected = read(tmp_path / "in.json")
    assert (texts, [entry.reason for entry in rejected]) == ([], ["no column 'text'"])


def test_null_on_the_way_to_a_text_is_no_text(tmp_path):
    (tmp_path / "in.json").write_text('[{"body": {"plain": "Sun."}}, {"body": null}, {"n": 1}]')
    chunks = read_rows(InputFile(tmp_path / "in.json", "in.json"), Columns("body.plain"), TableOptions())
    reasons = [entry.reason for chunk in chunks for entry in chunk.rejected]
    assert reasons == ["no text", "no column 'body.plain'"]


@pytest.mark.parametrize(
    "content",
    [
        '[{"text": "Sun."}]\n[{"text": "Fog."}]',
        '[{"text": "Sun."}] {"text": "Fog."}',
        '[]\n[{"text": "Sun."}, {"text": "Fog."}]',
    ],
)
def test_what_follows_an_array_is_read_too(content, tmp_path):
    (tmp_path / "in.json").write_text(content)
    assert read(tmp_path / "in.json") == (["Sun.", "Fog."], [])


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("as_array", [True, False])
def test_json_of_another_form_is_read_whatever_the_ending(indent, as_array, tmp_path):
    rows = [{"text": "Sun.", "n": 1}, {"text": "Fog.", "n": 2}]
    content = json.dumps(rows, indent=indent) if as_array else "\n".join(json.dumps(row, indent=indent) for row in rows)
    (tmp_path / "in.jsonl").write_text(content + "\n")
    assert read(tmp_path / "in.jsonl") == (["Sun.", "Fog."], [])
