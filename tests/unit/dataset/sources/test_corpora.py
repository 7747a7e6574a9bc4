"""Corpora are read from micro-fixtures in their formats, written here; the true files where they lie beside us."""

import hashlib
import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from claimkind.config import build
from claimkind.dataset.rows import text_sha
from claimkind.dataset.sources.base import fetch
from claimkind.dataset.sources.ewt import Ewt
from claimkind.dataset.sources.gum import Gum
from claimkind.dataset.sources.subj import Subj
from claimkind.dataset.sources.szeged import SzegedWikipedia
from claimkind.dataset.sources.table import Table
from claimkind.dataset.sources.uds import UdsFactuality
from claimkind.errors import ClaimkindError
from claimkind.manifest import sha256_file
from tests.conftest import ROOT, write_labels

CORPORA = ROOT.parent / "shared" / "corpora"

NEWS = 'Sentence,Label,Solved conflict\n"Rain fell, he said.\n",OBJ,False\nRain is dull.,SUBJ,False\n'
TSV = '''sentence_id\tsentence\tlabel\tsolved_conflict
k1\t"""Rain"" is dull, ""he"" said."\tSUBJ\tFalse
k2\tRain fell.\tOBJ\tFalse
'''
BIAS = """\ufefftext;news_link;label_opinion
Rain fell.;http://a;Entirely factual
Rain is dull.;;Expresses writer’s opinion
It rains.;http://a;No agreement
"""
SCIENCE = """{"id": 7, "finding": "Rain falls .", "c": 5.5}
{"id": 8, "finding": "Rain may fall.", "c": 2}
{"id": 9, "finding": "Rain?", "c": 4.0}
"""
WIKI = """<?xml version="1.0"?><Annotation><DocumentSet>
<Document><DocID>Rain_LRB2_x_1</DocID><DocumentPart type="Title"><Sentence id="S1.1">Rain</Sentence></DocumentPart>
<DocumentPart type="Text"><Sentence id="S1.2">Rain &amp; <ccue type="probable_">perhaps</ccue>  snow.</Sentence>
<Sentence id="S1.3">Rain fell.</Sentence></DocumentPart></Document>
<Document><DocID>Rain_LRB2_x_2</DocID><DocumentPart type="Text"><Sentence id="S1.2">It ended.</Sentence></DocumentPart>
</Document></DocumentSet></Annotation>"""
CONLLU = """# newdoc id = GUM_letter_rain
# meta::summary1 = (model) Not a sentence.
# sent_id = GUM_letter_rain-1
# s_type = decl
# text = Rain fell.
1\tRain\t_

# sent_id = GUM_letter_rain-2
# text = I like it.
1\tI\t_
"""


def files(folder: Path, **contents: str) -> dict[str, str]:
    """Write files and give their digests, as a source's YAML file does."""
    digests = {}
    for name, content in contents.items():
        path = folder / name.replace("__", ".")
        path.write_text(content, encoding="utf-8")
        digests[f"data/{path.name}"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return digests


def labels(folder: Path, **by_text: str) -> str:
    path = folder / "labels.jsonl"
    rows = [{"sha": text_sha(text), "label": label, "votes": [label] * 2} for text, label in by_text.items()]
    write_labels(path, rows)
    return str(path)


def table(folder, contents, **settings):
    return Table(files=files(folder, **contents), folder=str(folder), licence="CC-BY-4.0", **settings).read("s")


def test_a_csv_with_line_breaks_in_its_fields(tmp_path):
    rows = table(tmp_path, {"train__csv": NEWS}, text_column="Sentence", label_column="Label", always_test=["train"])
    assert rows["text"].tolist() == ["Rain fell, he said.", "Rain is dull."]
    assert rows["source_label"].tolist() == ["OBJ", "SUBJ"]
    assert rows["id"].tolist() == ["s:train:0", "s:train:1"]
    assert rows["group"].tolist() == rows["id"].tolist()
    assert rows["pinned"].all()
    assert rows["label"].isna().all()


def test_tab_separated_values_are_read_without_the_marks_around_them(tmp_path):
    rows = table(tmp_path, {"dev__tsv": TSV}, text_column="sentence", separator="\t", id_column="sentence_id")
    assert rows["text"].tolist() == ['"Rain" is dull, "he" said.', "Rain fell."]
    assert rows["id"].tolist() == ["s:k1", "s:k2"]


def test_groups_and_labels_that_are_left_out(tmp_path):
    kept = {"Entirely factual": "factual", "Expresses writer’s opinion": "opinion", "No agreement": None}
    settings = {"separator": ";", "label_column": "label_opinion", "group_column": "news_link", "source_labels": kept}
    rows = table(tmp_path, {"SG2__csv": BIAS}, **settings)
    assert rows["source_label"].tolist() == ["factual", "opinion"]
    assert rows["group"].tolist() == ["s:http://a", "s:SG2:1"]


def test_numbers_become_bins(tmp_path):
    rows = table(
        tmp_path, {"c__jsonl": SCIENCE}, text_column="finding", label_column="c", id_column="id", bins=[3.0, 5.0]
    )
    assert rows["source_label"].tolist() == [">=5", "<=3", "3-5"]


def test_our_labels_are_joined_by_the_words_of_the_sentence(tmp_path):
    ours = labels(tmp_path, **{"Rain  is dull. ": "opinion"})
    rows = table(tmp_path, {"train__csv": NEWS}, text_column="Sentence", label_column="Label", labels=ours)
    assert rows["label"].isna().tolist() == [True, False]
    assert rows["label"][1] == "opinion"
    assert rows["votes"][1] == ["opinion", "opinion"]


def test_labels_that_contradict_each_other_are_named(tmp_path):
    ours = labels(tmp_path, **{"Rain is dull.": "opinion", "Rain  is dull.": "factual"})
    with pytest.raises(ClaimkindError, match=r"labels\.jsonl:2: the sentence has another label at .*labels\.jsonl:1"):
        table(tmp_path, {"train__csv": NEWS}, text_column="Sentence", label_column="Label", labels=ours)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"text_column": "text"}, r"train\.csv has no column 'text', expected one of its columns Sentence, Label"),
        (
            {"source_labels": {"OBJ": "OBJ"}},
            r"train\.csv has the label 'SUBJ', expected one of OBJ: map it, or correct",
        ),
        ({"own_labels": {"OBJ": "fact"}}, r"own_labels maps to 'fact', expected one of factual"),
        ({"separator": ";"}, r"has no column 'Sentence'"),
    ],
)
def test_a_table_in_another_form_is_one_sentence(tmp_path, settings, sentence):
    with pytest.raises(ClaimkindError, match=sentence):
        table(tmp_path, {"train__csv": NEWS}, **{"text_column": "Sentence", "label_column": "Label", **settings})


def test_szeged_cues_titles_and_articles(tmp_path):
    digests = files(tmp_path, wiki__xml=WIKI)
    rows = SzegedWikipedia(digests, str(tmp_path), "http://x", "CC-BY-SA-3.0", "").read("szeged")
    assert rows["text"].tolist() == ["Rain & perhaps snow.", "Rain fell.", "It ended."]
    assert rows["source_label"].tolist() == ["uncertain", "certain", "certain"]
    assert set(rows["group"]) == {"szeged:Rain_LRB2_x"}


def test_szeged_that_is_no_xml_is_one_sentence(tmp_path):
    with pytest.raises(ClaimkindError, match=r"wiki\.xml is no XML .* expected the Szeged uncertainty corpus"):
        SzegedWikipedia(files(tmp_path, wiki__xml="{}"), str(tmp_path), "http://x", "CC-BY-SA-3.0", "").read("s")


def test_gum_comes_in_through_our_labels_alone(tmp_path):
    ours = labels(tmp_path, **{"I like it.": "opinion"})
    digests = files(tmp_path, GUM_letter_rain__conllu=CONLLU)
    rows = Gum(digests, str(tmp_path), "http://x", {"letter": "CC-BY-NC-SA-4.0"}, "", ours).read("gum")
    assert rows["text"].tolist() == ["I like it."]
    assert rows["id"].tolist() == ["gum:GUM_letter_rain-2"]
    assert rows["licence"].tolist() == ["CC-BY-NC-SA-4.0"]


def test_gum_in_another_form_is_one_sentence(tmp_path):
    digests = files(tmp_path, GUM_letter_rain__conllu="nothing")
    with pytest.raises(ClaimkindError, match="holds no sentences of GUM"):
        Gum(digests, str(tmp_path), "http://x", {"letter": "x"}, "", labels(tmp_path)).read("gum")


WEB = """# newdoc id = weblog-a_ENG_1
# sent_id = weblog-a_ENG_1-0001
# newpar id = weblog-a_ENG_1-p0001
# text = Rain fell.
1\tRain\t_

# sent_id = weblog-a_ENG_1-0002
# text = I like it.
1\tI\t_
"""


def ewt(folder, content, **by_text):
    digests = files(folder, a_ENG_1__xml__conllu=content)
    return Ewt(digests, str(folder), "http://x", "CC-BY-SA-4.0", "", labels(folder, **by_text)).read("ewt")


def test_labelled_sentences_of_ewt_are_grouped_by_document_with_the_genre_of_their_id(tmp_path):
    (row,) = ewt(tmp_path, WEB, **{"I like it.": "opinion"}).to_dict("records")
    assert (row["id"], row["text"], row["label"]) == ("ewt:weblog-a_ENG_1-0002", "I like it.", "opinion")
    assert (row["group"], row["document"], row["genre"]) == ("ewt:a_ENG_1", "a_ENG_1", "weblog")
    assert row["licence"] == "CC-BY-SA-4.0"


@pytest.mark.parametrize("content", ["nothing", WEB.replace("# text = Rain fell.\n", "")])
def test_ewt_in_another_form_is_one_sentence(tmp_path, content):
    with pytest.raises(ClaimkindError, match="holds no sentences of EWT, expected CoNLL-U: check it"):
        ewt(tmp_path, content)


@pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora are not here")
def test_every_label_of_ewt_belongs_to_a_sentence():
    settings = OmegaConf.load(ROOT / "configs" / "source" / "ewt.yaml")
    settings.merge_with({"folder": str(CORPORA / "ewt"), "labels": str(ROOT / "seeds" / "labels" / "ewt.jsonl")})
    rows = build(OmegaConf.to_container(settings, resolve=False), "source", "claimkind.dataset").read("ewt")
    given = [json.loads(line) for line in (ROOT / "seeds" / "labels" / "ewt.jsonl").open(encoding="utf-8")]
    assert {row["sha"] for row in given} == {text_sha(text) for text in rows["text"]}
    assert {row["key"] for row in given} <= {key.removeprefix("ewt:") for key in rows["id"]}


def test_a_digest_that_differs_is_refused(tmp_path):
    digests = files(tmp_path, a__csv=NEWS)
    (tmp_path / "a.csv").write_text("changed")
    with pytest.raises(ClaimkindError, match=r"a\.csv has the sha256 .*…, expected .*…: delete the file"):
        list(fetch(digests, str(tmp_path), "http://x"))


def test_a_file_that_cannot_be_fetched_is_one_sentence(tmp_path):
    with pytest.raises(ClaimkindError, match=r"cannot be downloaded .* connect to the network, or give paths.corp"):
        list(fetch({"a.csv": "0" * 64}, str(tmp_path), "http://127.0.0.1:9"))
    with pytest.raises(ClaimkindError, match=r"a\.csv does not exist, expected a file of the source"):
        list(fetch({"a.csv": "0" * 64}, str(tmp_path), None))


# What SOURCES says of each corpus: sentences, and how many of them carry a label of ours.
COUNTS = {
    "newssd_eng": (1049, 1030), "babe": (3458, 2500), "szeged_wiki": (16218, 1900), "sci_certainty": (1551, 600),
    "gum": (2900, 2890), "ewt": (3218, 3195), "checkthat_2025": (1292, 900),
}  # fmt: skip


@pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora do not lie beside this checkout")
@pytest.mark.parametrize("name", COUNTS)
def test_the_true_corpora_are_read(name):
    base = {"paths": {"corpora_dir": str(CORPORA), "seeds_dir": str(ROOT / "seeds")}}
    settings = OmegaConf.load(ROOT / "configs" / "source" / f"{name}.yaml")
    merged = OmegaConf.to_container(OmegaConf.merge(base, {"source": settings}), resolve=True)["source"]
    rows = build(merged, "source", "claimkind.dataset").read(name)
    sentences, labelled = COUNTS[name]
    assert len(rows) == sentences
    assert labelled <= rows["label"].notna().sum() <= 1.15 * labelled
    assert rows["id"].is_unique
    assert json.dumps(rows["text"].tolist())


def test_subj_lines_are_a_label_and_a_sentence_whatever_else_looks_like_a_line_end(tmp_path):
    (tmp_path / "subj.all").write_bytes(b"0 a small gem .\n1 he meets\x85 her caf\xe9 .\n")
    digest = hashlib.sha256((tmp_path / "subj.all").read_bytes()).hexdigest()
    rows = Subj({"data/subj.all": digest}, str(tmp_path), "http://none").read("subj")
    assert rows[["text", "source_label"]].to_numpy().tolist() == [
        ["a small gem .", "subjective"],
        ["he meets\x85 her café .", "objective"],
    ]


def test_a_changed_subj_is_one_sentence(tmp_path):
    (tmp_path / "subj.all").write_text("0 good\n2 bad\n")
    digest = hashlib.sha256((tmp_path / "subj.all").read_bytes()).hexdigest()
    with pytest.raises(ClaimkindError, match=r"subj.all:2 begins with '2', expected 0 or 1"):
        Subj({"data/subj.all": digest}, str(tmp_path), "http://none").read("subj")


def uds(folder, *lines):
    path = folder / "test.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines))
    return UdsFactuality({"test.jsonl": sha256_file(path)}, str(folder), "http://localhost", ["test"])


def test_uds_sentences_are_settled_if_every_predicate_is(tmp_path):
    rows = uds(
        tmp_path,
        '{"text": "It rained and poured .", "targets": [{"label": 2.1}, {"label": -2.5}]}',
        '{"text": "It rained and may pour .", "targets": [{"label": 3}, {"label": -1.0}]}',
        '{"text": "It rained , they say .", "targets": [{"label": 3}, {"label": 2.0}]}',
    ).read("uds")
    assert rows["source_label"].tolist() == ["settled", "unsettled", None]
    assert rows["certainty"].tolist() == [2.1, 1.0, 2.0]
    assert rows["id"].tolist() == ["uds:test:0", "uds:test:1", "uds:test:2"]
    assert rows["pinned"].all()


@pytest.mark.parametrize("targets", ["[]", '[{"label": 3.5}]', '[{"label": "yes"}]', "3"])
def test_uds_sentences_without_judgements_are_refused(tmp_path, targets):
    with pytest.raises(ClaimkindError, match=r"test\.jsonl:1 has no judgements from -3 to 3"):
        uds(tmp_path, f'{{"text": "It rained .", "targets": {targets}}}').read("uds")
