import pandas as pd

from claimkind.evaluation.model_card import Subject, render
from claimkind.labels import LABELS
from claimkind.metrics.bootstrap import Estimate

SCORES = {
    name: Estimate(0.5, 0.4, 0.6)
    for name in (
        "macro_f1",
        "accuracy",
        *(f"{kind}_{label}" for label in LABELS for kind in ("precision", "recall", "f1")),
    )
}
ROWS = pd.DataFrame(
    {"source": ["a", "a", "b"], "label": ["factual", None, "opinion"], "licence": ["CC0-1.0", "CC0-1.0", "MIT"]}
)


def card(**changes):
    subject = Subject(
        "m", "tfidf", "tiny", "f00", ROWS, temperature=1.5, abstain_below=0.0, coverage=1, precision=0.7, teachers=[]
    )
    return render(subject._replace(**changes), SCORES, {"source": pd.DataFrame({"slice": ["a"], "rate": [0.25]})})


def test_the_card_says_what_the_model_learned_from_and_under_which_licences():
    assert "| source | factual | no label | opinion | licences |" in card()
    assert "| a | 1 | 1 | 0 | CC0-1.0 |" in card()
    assert "| b | 0 | 0 | 1 | MIT |" in card()


def test_every_figure_stands_there_with_its_interval():
    assert card().count("0.500 [0.400, 0.600]") == 11
    assert "### By source" in card() and "| a | 0.250 |" in card()


def test_the_card_says_whether_the_model_abstains():
    assert "It gives every sentence a label." in card()
    abstaining = card(abstain_below=0.8, coverage=0.42, precision=0.934)
    assert "It says `undecided` where its highest probability is below 0.800." in abstaining
    assert "42% of the sentences then get a label, and 93.4% of these labels are right" in abstaining


def test_the_card_names_its_licences_and_other_models_that_had_a_part():
    assert "trained on sentences under CC0-1.0, MIT; the strictest of these" in card()
    assert "license: other" in card()
    assert "The model `models:/m-1` said what" in card(teachers=["The model `models:/m-1` said what they are."])
