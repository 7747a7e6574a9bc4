import pytest

from claimkind.evaluation.slices import slices_of


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
