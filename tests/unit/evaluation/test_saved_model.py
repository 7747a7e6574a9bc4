import numpy as np
import pandas as pd
import pytest

from claimkind.config import DatasetConfig, EvaluateConfig
from claimkind.dataset.load import load_dataset
from claimkind.errors import ClaimkindError
from claimkind.evaluation.probe import Probe
from claimkind.evaluation.saved_model import report_on_probe, report_on_split, run
from claimkind.labels import PROBABILITY_COLUMNS
from tests.unit.evaluation.test_probe import TEST, TRAIN, LengthAndLovely, source


class Abstaining:
    """Labels sentences with *may* speculative with confidence 0.9, others factual with confidence 0.5."""

    abstain_below = 0.8

    def predict_proba(self, texts):
        return np.array([[0.05, 0.9, 0.05] if "may" in text else [0.5, 0.3, 0.2] for text in texts])


@pytest.fixture
def report(workspace, seeds):
    dataset = load_dataset(workspace / "data", "tiny")
    return report_on_split(Abstaining(), dataset, "test", seeds / "behaviour" / "pairs.jsonl", 50)


def test_the_text_is_the_title_and_all_tables(report):
    lines = report.text().splitlines()
    assert lines[0] == report.title and lines[0].startswith("tiny test, fingerprint ")
    headings = [line for line, before in zip(lines[1:], lines, strict=False) if before == ""]
    assert headings == ["whole", "classes", "sources", "genres", "slices", "behaviour"]


def test_of_many_genres_the_weakest_are_shown(report):
    table = pd.DataFrame({"slice": [f"genre {n}" for n in range(12)], "sentences": [40] * 11 + [29]})
    table["macro F1"] = [f"0.{90 - n} [0.100, 1.000]" for n in range(12)]
    shown = report._replace(tables={"genres": table}).text().splitlines()
    assert shown[2] == "genres: the 10 weakest of at least 30 sentences"
    assert [line.split()[1] for line in shown[4:14]] == [str(n) for n in range(10, 0, -1)]


def test_a_model_that_abstains_is_reported_with_its_coverage(report):
    whole = report.tables["whole"].set_index("figure")["value"]
    assert whole["share not undecided"] == f"{report.metrics['test/coverage_decided']:.3f}"
    assert whole["accuracy of these"] == "1.000"
    assert 0 < report.metrics["test/coverage_decided"] < 1


def test_the_report_holds_the_predictions_that_compare_reads(report):
    predictions = report.results.predictions
    assert {"id", "group", "text", "label", *PROBABILITY_COLUMNS} <= set(predictions)
    assert report.tags["dataset"] == "tiny" and report.metrics["behaviour/pass_rate"] == 1


def test_a_model_is_not_evaluated_on_what_it_was_trained_on(in_workspace, monkeypatch):
    monkeypatch.setattr("claimkind.tracking.fetch_model", lambda *_, **__: Abstaining())
    config = EvaluateConfig(model_uri="models:/m-1", split="train", dataset=DatasetConfig(name="tiny"))
    with pytest.raises(ClaimkindError, match="split=train holds no evaluated sentences, expected validation or test"):
        run(config)


def test_a_missing_behaviour_suite_is_one_sentence(workspace, tmp_path):
    with pytest.raises(ClaimkindError, match=r"pairs\.jsonl"):
        report_on_split(Abstaining(), load_dataset(workspace / "data", "tiny"), "test", tmp_path / "pairs.jsonl", 50)


def test_a_probe_is_reported_with_its_interval(tmp_path):
    report = report_on_probe(LengthAndLovely(), Probe("news", source(tmp_path, train=TRAIN, test=TEST)), 50)
    assert report.title == "news, linear probe trained on 40 sentences, n = 3"
    assert report.text().splitlines()[2] == "probe"
    assert set(report.metrics) == {"news/macro_f1", "news/macro_f1_low", "news/macro_f1_high", "news/accuracy"}
    assert report.results is None
