import numpy as np
import pytest

from claimkind.models.attribution import attribute_words


class Hedges:
    """The probability of *speculative* depends on hedges alone; keeps the texts that it was given."""

    def __init__(self):
        self.texts = []

    def predict_proba(self, texts):
        self.texts += texts
        hedges = np.array([0.1 + 0.4 * ("may" in text.split()) + 0.2 * ("perhaps" in text.lower()) for text in texts])
        return np.stack([(1 - hedges) / 2, hedges, (1 - hedges) / 2], axis=1)


def test_the_weight_of_a_word_is_the_loss_of_probability_without_it():
    text = "Perhaps the vote may slip."
    words = {text[word.start : word.end]: word.weight for word in attribute_words(Hedges(), text)}
    assert words == pytest.approx({"Perhaps": 0.2, "the": 0, "vote": 0, "may": 0.4, "slip": 0, ".": 0}, abs=1e-6)


def test_a_word_against_the_label_has_a_negative_weight():
    # Factual and opinion share the rest: the label is factual, and the hedge lowers its probability by 0.1.
    words = attribute_words(Hedges(), "Perhaps it rained.")
    assert words[0].weight == pytest.approx(-0.1)


def test_a_text_without_a_word_has_none():
    assert attribute_words(Hedges(), " ") == []


def test_words_are_removed_whole():
    model = Hedges()
    attribute_words(model, "It wasn’t the mayor’s well-known aide.")
    assert "It the mayor’s well-known aide." in model.texts
    assert "It wasn’t the mayor’s aide." in model.texts
