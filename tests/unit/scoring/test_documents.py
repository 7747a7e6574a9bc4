"""`claimkind.load`: documents and sentences from Python."""

import subprocess
import sys

import pandas as pd
import pytest

import claimkind
from claimkind import models, tracking
from claimkind.config import ScoreConfig
from claimkind.errors import ClaimkindError
from claimkind.labels import one_hot
from claimkind.models.hashing import HashingClassifier
from claimkind.scoring import engine

TEXT = "# Weather\n\nRain fell on Monday. It may rain again, the office said.\n\nThe rain is a *dull* affair.\n"
LABELS = ["label", "confidence", "p_factual", "p_speculative", "p_opinion", "windows"]


@pytest.fixture(scope="module")
def fitted():
    texts = ["Rain fell.", "It may rain.", "Rain is dull."]
    return HashingClassifier().fit(texts, one_hot(["factual", "speculative", "opinion"]))


@pytest.fixture(scope="module")
def folder(fitted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "model"
    models.save(fitted, folder)
    return folder


def test_a_document_gives_its_sentences_with_their_places(folder):
    scored = claimkind.load(folder).score(TEXT, markup="markdown")
    assert scored.columns.tolist() == ["paragraph", "start", "end", "kind", "text", *LABELS]
    assert scored["kind"].tolist() == ["heading", "sentence", "sentence", "sentence"]
    assert scored["paragraph"].tolist() == [0, 1, 1, 2]
    assert [TEXT[row.start : row.end] for row in scored.itertuples()] == [
        "Weather", "Rain fell on Monday.", "It may rain again, the office said.", "The rain is a *dull* affair."
    ]  # fmt: skip
    assert scored["label"].isna().tolist() == [True, False, False, False]


@pytest.mark.parametrize(("markup", "ending"), [("plain", "txt"), ("markdown", "md"), ("html", "html")])
@pytest.mark.parametrize("kinds", ["sentences", "all"])
def test_the_labels_are_those_of_the_script(markup, ending, kinds, folder, tmp_path):
    text = "<p>Rain fell. It may rain.</p><h2>Dull rain</h2>" if markup == "html" else TEXT
    (tmp_path / f"text.{ending}").write_text(text)
    output = tmp_path / "out.parquet"
    settings = {"input": str(tmp_path / f"text.{ending}"), "output": str(output), "kinds": kinds}
    engine.run(ScoreConfig(model_uri=str(folder), **settings))
    script = pd.read_parquet(output).drop(columns=["document", "sentence"])
    scored = claimkind.load(folder).score(text, markup=markup, kinds=kinds)
    pd.testing.assert_frame_equal(scored, script, check_dtype=False)


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_document_has_no_rows(text, folder):
    scored = claimkind.load(folder).score(text)
    assert len(scored) == 0
    assert scored.columns.tolist() == ["paragraph", "start", "end", "kind", "text", *LABELS]


def test_sentences_are_labelled_as_they_are(folder):
    labelled = claimkind.load(str(folder)).label(["Rain fell. It may rain.", "Rain fell."])
    assert labelled.columns.tolist() == LABELS
    assert len(labelled) == 2


def test_a_logged_model_gives_the_labels_of_its_folder(fitted, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with tracking.start_run("e", "r", {}) as run:
        uri = run.log_model(fitted)
    tracking.register(run.run_id, "m", "champion")
    expected = claimkind.load(folder).score(TEXT)
    logged = tracking.fetch_folder(uri).parents[1]
    for name in (uri, "models:/m@champion", str(logged)):
        pd.testing.assert_frame_equal(claimkind.load(name).score(TEXT), expected)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"markup": "rst"}, "markup=rst is unknown, expected one of plain, markdown, html"),
        ({"kinds": "headings"}, "kinds=headings is unknown, expected one of sentences, all"),
        ({"line_breaks": "yes"}, "line_breaks=yes is unknown, expected one of auto, keep, join"),
    ],
)
def test_what_is_unknown_is_refused(arguments, sentence, folder):
    with pytest.raises(ClaimkindError, match=sentence):
        claimkind.load(folder).score(TEXT, **arguments)


def test_an_empty_uri_is_not_the_working_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(ClaimkindError, match="the model has no URI"):
        claimkind.load("")


def test_a_folder_is_loaded_without_mlflow(folder):
    code = f"import sys, claimkind; claimkind.load({str(folder)!r}).score('It may rain.')\n"
    code += "print(sorted({'torch', 'mlflow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_folder_is_scored_by_the_script_without_mlflow_or_torch(folder, tmp_path):
    (tmp_path / "in.txt").write_text("Rain fell.")
    config = f"input={str(tmp_path / 'in.txt')!r}, output={str(tmp_path / 'out.csv')!r}, model_uri={str(folder)!r}"
    code = (
        "import sys; from claimkind.config import ScoreConfig; from claimkind.scoring import engine\n"
        f"engine.run(ScoreConfig({config})); print(sorted({{'torch', 'mlflow'}} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
