import pandas as pd

from claimkind.evaluation.evaluation import Evaluation, PartScores
from claimkind.evaluation.model_card import Subject, front_matter, render
from claimkind.metrics.bootstrap import Estimate
from claimkind.metrics.scores import METRICS, names_of

SCORES = {name: Estimate(0.5, 0.4, 0.6) for metric in METRICS for name in names_of(metric)}
ROWS = pd.DataFrame(
    {"source": ["a", "a", "b"], "label": ["factual", None, "opinion"], "licence": ["CC0-1.0", "CC0-1.0", "MIT"]}
)
SUBJECT = Subject("m", "tfidf", "tiny", "f00", ROWS, temperature=1.5, abstain_below=0.0, teachers=[])


def card(coverage=None, behaviour=None, **changes):
    part = {"x": PartScores(7, Estimate(0.25, 0.2, 0.3), Estimate(0.75, 0.7, 0.8))}
    evaluation = Evaluation(9, SCORES, {}, coverage or {}, {"sources": part, "genres": part, "slices": part})
    return render(SUBJECT._replace(**changes), evaluation, behaviour)


def test_the_card_shows_the_training_rows_and_their_licences():
    assert "| source | factual | no label | opinion | licences |" in card()
    assert "| a | 1 | 1 | 0 | CC0-1.0 |" in card()
    assert "| b | 0 | 0 | 1 | MIT |" in card()
    assert "trained on sentences under CC0-1.0, MIT. The strictest of these" in card()


def test_front_matter_is_apart_from_the_card_since_the_ui_would_show_it_as_text():
    assert card().startswith("# ")
    evaluation = Evaluation(9, SCORES, {}, {}, {})
    front = front_matter(SUBJECT._replace(encoder="org/encoder"), evaluation)
    assert front.startswith("---\n") and front.endswith("\n---")
    assert "license: mit" in front and "base_model: org/encoder" in front
    assert "macro F1 (n 9, 95% interval 0.400 to 0.600)" in front


def test_a_local_encoder_is_no_base_model_on_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my" / "encoder").mkdir(parents=True)
    evaluation = Evaluation(9, SCORES, {}, {}, {})
    for encoder in ("my/encoder", str(tmp_path / "gone")):
        assert "base_model" not in front_matter(SUBJECT._replace(encoder=encoder), evaluation)


def test_every_metric_is_shown_with_its_interval():
    assert card().count("0.500 [0.400, 0.600]") == len(SCORES)


def test_scores_are_shown_by_source_by_wording_and_by_behaviour_if_it_was_measured():
    assert card().count("| x | 7 | 0.250 [0.200, 0.300] | 0.750 |") == 2
    assert "### By source" in card() and "### By wording" in card()
    assert "### By behaviour" not in card()
    assert "| hedge | 0.125 |" in card(behaviour=pd.DataFrame({"group": ["hedge"], "rate": [0.125]}))


def test_the_card_describes_whether_the_model_abstains():
    assert "It gives every sentence a label." in card()
    abstaining = card({"coverage_decided": 0.42, "precision_decided": 0.934}, abstain_below=0.8)
    assert "It answers `undecided` where the highest probability is below 0.800." in abstaining
    assert "42% of the sentences get a label, and 93.4% of these labels are right" in abstaining
    assert "0% of the sentences get a label. The results" in card({"coverage_decided": 0.0}, abstain_below=0.99)


def test_the_card_names_the_models_that_it_was_trained_from():
    assert "Its encoder is that of `models:/m-1`." in card(teachers=["Its encoder is that of `models:/m-1`."])
