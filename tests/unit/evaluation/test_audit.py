import contextlib
import json

import numpy as np
import pandas as pd
import pytest

from claimkind.config import AuditLabelsConfig, BuildDatasetConfig, PathsConfig
from claimkind.dataset.build import run as build_dataset
from claimkind.errors import ClaimkindError
from claimkind.evaluation.audit import out_of_fold, rank, run
from claimkind.labels import LABELS
from tests.conftest import dataset_config, source_settings, write_labels


@pytest.fixture
def spoilt(seeds, tmp_path):
    """A dataset with four wrong labels, and their ids."""
    source = source_settings(seeds)
    rows = [json.loads(line) for line in (seeds / "labels" / "documents.jsonl").read_text().splitlines()]
    wrong = {"factual": "opinion", "speculative": "factual", "opinion": "speculative"}
    spoilt = [17, 55, 83, 140]
    for index in spoilt:
        rows[index] |= {"label": wrong[rows[index]["label"]], "votes": [wrong[rows[index]["label"]]] * 2}
    write_labels(tmp_path / "labels.jsonl", rows)
    dataset = dataset_config(seeds, sources={"documents": {**source, "labels": str(tmp_path / "labels.jsonl")}})
    build_dataset(BuildDatasetConfig(dataset=dataset, paths=PathsConfig(data_dir=str(tmp_path))))
    return dataset, {f"{rows[i]['document']}:{rows[i]['start']}-{rows[i]['end']}" for i in spoilt}


def audit(dataset, folder, **changes):
    model = {"_target_": "claimkind.models.tfidf.TfidfClassifier", "min_df": 1}
    settings = {
        "dataset": dataset,
        "model": model,
        "paths": PathsConfig(data_dir=str(folder)),
        "output": str(folder / "audit.csv"),
    }
    return run(AuditLabelsConfig(**{**settings, **changes}))


def test_planted_errors_are_ranked_first_and_the_true_label_is_suggested(spoilt, tmp_path):
    dataset, wrong = spoilt
    found = audit(dataset, tmp_path)
    ranked = found.ranked
    suspected = (ranked["margin"] > 0).sum()
    assert found.text().endswith(f"audit.csv: 180 labels, the model predicts another one for {suspected} of them")
    assert set(ranked["id"][:4]) == wrong
    assert (ranked["margin"][:4] > 0).all()
    assert len(pd.read_csv(tmp_path / "audit.csv")) == 180


def test_a_second_audit_into_one_file_is_refused(spoilt, tmp_path, monkeypatch):
    dataset, _ = spoilt
    refused = []

    def rank_and_audit_again(rows, probabilities):
        monkeypatch.setattr("claimkind.evaluation.audit.rank", rank)
        with pytest.raises(ClaimkindError, match=r"another process writes an audit into .*audit\.csv, expected none"):
            audit(dataset, tmp_path)
        refused.append(True)
        return rank(rows, probabilities)

    monkeypatch.setattr("claimkind.evaluation.audit.rank", rank_and_audit_again)
    audit(dataset, tmp_path)
    assert refused == [True]
    assert len(pd.read_csv(tmp_path / "audit.csv")) == 180


def test_corrections_that_are_written_during_an_audit_are_not_lost(spoilt, tmp_path, monkeypatch):
    dataset, _ = spoilt

    def rank_while_a_person_corrects(rows, probabilities):
        pd.DataFrame({"id": ["a"], "corrected": ["opinion"]}).to_csv(tmp_path / "audit.csv", index=False)
        return rank(rows, probabilities)

    monkeypatch.setattr("claimkind.evaluation.audit.rank", rank_while_a_person_corrects)
    with pytest.raises(ClaimkindError, match="holds corrections, which would be lost"):
        audit(dataset, tmp_path)
    assert pd.read_csv(tmp_path / "audit.csv")["corrected"].tolist() == ["opinion"]


def test_what_a_person_corrects_is_used_by_the_build(spoilt, tmp_path):
    dataset, wrong = spoilt
    ranked = audit(dataset, tmp_path).ranked
    ranked["corrected"] = ranked["suggested"].where(ranked["id"].isin(wrong), "")
    ranked.to_csv(tmp_path / "corrected.csv", index=False)
    dataset.corrections = [str(tmp_path / "corrected.csv")]
    folder = build_dataset(BuildDatasetConfig(dataset=dataset, paths=PathsConfig(data_dir=str(tmp_path)))).folder
    assert json.loads((folder / "manifest.json").read_text())["corrected_labels"] == 4
    assert (audit(dataset, tmp_path).ranked["margin"] <= 0).all()


def test_corrections_of_a_source_that_the_dataset_lacks_are_skipped(seeds, tmp_path):
    (tmp_path / "c.csv").write_text("id,sha,source,corrected\ngum:1,0,gum,opinion\n")
    dataset = dataset_config(seeds, corrections=[str(tmp_path / "c.csv")])
    folder = build_dataset(BuildDatasetConfig(dataset=dataset, paths=PathsConfig(data_dir=str(tmp_path)))).folder
    assert json.loads((folder / "manifest.json").read_text())["corrected_labels"] == 0


def test_a_row_of_corrections_without_its_last_cells_corrects_nothing(seeds, tmp_path):
    (tmp_path / "c.csv").write_text("id,sha,source,corrected\nx,0,documents\n")
    dataset = dataset_config(seeds, corrections=[str(tmp_path / "c.csv")])
    folder = build_dataset(BuildDatasetConfig(dataset=dataset, paths=PathsConfig(data_dir=str(tmp_path)))).folder
    assert json.loads((folder / "manifest.json").read_text())["corrected_labels"] == 0


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("id,sha,corrected\nx,0,opinion\n", r"c\.csv:2: no sentence has the id 'x' and that sha: remove the row"),
        ("id,sha,source,corrected\nx,0,documents,opinion\n", r"c\.csv:2: no sentence has the id 'x'"),
        ("id,sha,corrected\nx,0,maybe\n", r"c\.csv:2: found the label 'maybe', expected one of factual"),
        ("id,label\nx,opinion\n", r"c\.csv:1: found the columns id, label, expected id, sha and corrected"),
        pytest.param(
            f"id,sha,corrected\nx,{'x' * 2_000_000},\n",
            r"corrections names .*c\.csv, which cannot be read \(field larger",
            id="a cell that is too long",
        ),
    ],
)
def test_corrections_that_fit_nothing_are_named(seeds, tmp_path, content, sentence):
    (tmp_path / "c.csv").write_text(content)
    dataset = dataset_config(seeds, corrections=[str(tmp_path / "c.csv")])
    with pytest.raises(ClaimkindError, match=sentence):
        build_dataset(BuildDatasetConfig(dataset=dataset, paths=PathsConfig(data_dir=str(tmp_path))))


def test_a_correction_of_a_sentence_that_was_changed_since_is_refused(seeds, tmp_path):
    folder = build_dataset(
        BuildDatasetConfig(dataset=dataset_config(seeds), paths=PathsConfig(data_dir=str(tmp_path)))
    ).folder
    row = pd.read_parquet(folder / "train.parquet").iloc[0]
    for sha, sentence in ((row["sha"], None), ("0" * 16, f"no sentence has the id {row['id']!r} and that sha")):
        (tmp_path / "c.csv").write_text(f"id,sha,corrected\n{row['id']},{sha},opinion\n")
        dataset = dataset_config(seeds, corrections=[str(tmp_path / "c.csv")])
        refused = pytest.raises(ClaimkindError, match=sentence) if sentence else contextlib.nullcontext()
        with refused:
            build_dataset(BuildDatasetConfig(dataset=dataset, paths=PathsConfig(data_dir=str(tmp_path))))


class Remembers:
    """A classifier that refuses to predict sentences of a group that it was trained on."""

    def fit(self, texts, evidence):
        self.seen = {text.split()[0] for text in texts}

    def predict_proba(self, texts):
        assert not self.seen & {text.split()[0] for text in texts}
        return np.full((len(texts), 3), 1 / 3)


def test_a_sentence_is_predicted_by_models_that_saw_nothing_of_its_group():
    groups = [f"group{number % 12}" for number in range(120)]
    rows = pd.DataFrame({"id": range(120), "group": groups, "label": [LABELS[number % 3] for number in range(120)]})
    rows["text"] = rows["group"] + " text " + rows["id"].astype(str)
    assert out_of_fold(rows, Remembers, folds=4, seed=0).sum() == pytest.approx(120)


def test_an_output_of_another_kind_is_refused(seeds, tmp_path):
    with pytest.raises(ClaimkindError, match=r"output=.*a\.txt has another ending, expected \.csv"):
        audit(dataset_config(seeds), tmp_path, output=str(tmp_path / "a.txt"))


def test_corrections_are_not_overwritten(spoilt, tmp_path):
    dataset, _ = spoilt
    audit(dataset, tmp_path)
    audit(dataset, tmp_path)  # nobody wrote into it
    ranked = pd.read_csv(tmp_path / "audit.csv", dtype=str)
    ranked.loc[0, "corrected"] = "opinion"
    ranked.to_csv(tmp_path / "audit.csv", index=False)
    with pytest.raises(ClaimkindError, match=r"audit\.csv holds corrections, which would be lost"):
        audit(dataset, tmp_path)
    assert pd.read_csv(tmp_path / "audit.csv", dtype=str)["corrected"][0] == "opinion"


def test_a_list_that_another_program_saved_in_its_own_form_is_not_overwritten(seeds, tmp_path):
    (tmp_path / "audit.csv").write_text("id;sha;corrected\na;b;opinion\n")
    with pytest.raises(ClaimkindError, match="another program changed its format: give another name"):
        audit(dataset_config(seeds), tmp_path)


def test_folds_that_cannot_be_made_are_refused(spoilt, seeds, tmp_path):
    with pytest.raises(ClaimkindError, match="folds=90, but the labelled rows can be split into 12 folds at most"):
        audit(spoilt[0], tmp_path, folds=90)
    with pytest.raises(ClaimkindError, match="folds=1, expected 2 to 100"):
        audit(dataset_config(seeds), tmp_path, folds=1)
