import numpy as np
import pytest

from claimkind.evaluation.slices import slices_of, table_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The mayor said it was over.", {"attribution", "under 8 words"}),
        ("“It is not over.”", {"quotation", "negation", "under 8 words"}),
        ("If it rains in 2031, they will stay.", {"conditional", "forecast", "digits"}),
        ("Why should we pay?", {"question", "modal should", "under 8 words"}),
        ("Perhaps it can’t.", {"hedge", "negation", "under 8 words"}),
        (
            "Nobody’s rent shouldn’t rise, the union insisted.",
            {"modal should", "negation", "attribution", "under 8 words"},
        ),
        ("The so-called truce began in May, as the army called for.", set()),
        ("You'll think it's ‘unlikely’, neither new nor old.", {"forecast", "hedge", "quotation", "negation"}),
        ("He called “riots” what she calls 'a walk'.", {"attribution", "quotation"}),
        ("In the '90s, the workers' union and the teachers' union grew fast.", {"digits"}),
        ("(Who would pay?)", {"question", "hedge", "under 8 words"}),
        ("The towns were the first to be served, provided by the state.", set()),
        ("The bridge of the old town was built by monks.", set()),
        ("word " * 31, {"over 30 words"}),
    ],
)
def test_a_sentence_is_in_the_slices_of_its_wording(text, expected):
    assert {name for name, mask in slices_of([text]).items() if mask[0]} == expected


def test_each_slice_has_its_own_figure():
    truth, probabilities = np.array([0, 0, 1, 1]), np.eye(3)[[0, 0, 1, 0]]
    masks = {"first": np.array([True, True, False, False]), "none": np.zeros(4, dtype=bool), "all": np.ones(4, bool)}
    table = table_of(masks, truth, probabilities, np.array(list("abcd")), samples=50)
    assert table["slice"].tolist() == ["first", "all"]
    assert table["sentences"].tolist() == [2, 4]
    assert table["accuracy"].tolist() == ["1.000", "0.750"]


def test_a_perfect_model_is_perfect_in_a_slice_without_one_of_the_classes():
    truth = np.array([0, 0, 0, 1])
    table = table_of({"slice": np.ones(4, bool)}, truth, np.eye(3)[truth], np.array(list("abcd")), samples=200)
    assert table["macro F1"].tolist() == ["1.000 [1.000, 1.000]"]


def test_a_class_that_a_bootstrap_sample_leaves_out_counts_in_its_macro_f1():
    """Else samples without the one opinion, which the model gets wrong, would be perfect."""
    truth = np.array([0] * 10 + [1] * 10 + [2])
    said = np.where(truth == 2, 0, truth)
    table = table_of({"slice": np.ones(21, bool)}, truth, np.eye(3)[said], np.arange(21).astype(str), samples=400)
    assert float(table["macro F1"][0].rstrip("]").split(", ")[1]) < 0.7


def test_a_slice_of_one_document_has_no_interval():
    truth = np.array([0, 1, 2, 0])
    table = table_of({"slice": np.ones(4, bool)}, truth, np.eye(3)[truth], np.array(["a"] * 4), samples=20)
    assert table["macro F1"].tolist() == ["1.000 [of one group]"], "an interval of width 0 passes for certainty"
