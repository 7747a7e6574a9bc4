"""What changes between two models."""

import numpy as np
import pandas as pd

from claimkind.evaluation.changes import changes_between
from claimkind.labels import LABELS

ROWS = pd.DataFrame(
    {
        "id": list("abcd"),
        "text": ["It may rain.", "It rained in 1987.", "It is a farce.", "It ended."],
        "label": ["speculative", "factual", "opinion", "factual"],
        "source": ["x", "x", "y", "y"],
    }
)


def probabilities(*labels, confidence=0.8):
    table = np.full((len(labels), 3), (1 - confidence) / 2)
    table[np.arange(len(labels)), [LABELS.index(label) for label in labels]] = confidence
    return table


NEW = probabilities("speculative", "opinion", "opinion", "factual")
OLD = probabilities("factual", "factual", "factual", "factual")


def test_sentences_are_gained_or_lost_where_one_model_alone_is_right():
    found = changes_between(ROWS, ("new one", NEW), ("old one", OLD))
    assert dict(zip(found.rows["id"], found.rows["change"], strict=True)) == {"a": "gained", "b": "lost", "c": "gained"}
    assert found.rows.set_index("id").loc["b", ["new", "old"]].tolist() == ["opinion", "factual"]
    assert found.rows.set_index("id").loc["b", "slices"] == "digits, under 8 words"
    assert found.summary() == "new one against old one: 2 sentences gained, 1 lost"


def test_changes_are_counted_by_class_source_and_slice():
    counts = changes_between(ROWS, ("n", NEW), ("o", OLD)).counts.set_index(["by", "name"])
    assert counts.loc[("class", "factual"), ["sentences", "gained", "lost", "net"]].tolist() == [2, 0, 1, -1]
    assert counts.loc[("source", "x"), "net"] == 0 and counts.loc[("source", "y"), "net"] == 1
    assert counts.loc[("slice", "hedge"), "gained"] == 1


def test_the_console_shows_ten_sentences_of_each_kind():
    many = pd.concat([ROWS.iloc[[0]]] * 30, ignore_index=True).assign(id=[str(number) for number in range(30)])
    text = changes_between(many, ("n", np.repeat(NEW[:1], 30, axis=0)), ("o", np.repeat(OLD[:1], 30, axis=0))).text()
    assert text.count("speculative (not factual): It may rain.") == 10
    assert "lost:" not in text


def test_predictions_of_earlier_versions_have_no_texts():
    found = changes_between(ROWS.drop(columns="text"), ("n", NEW), ("o", OLD))
    assert "(id b)" in found.text() and "slice" not in set(found.counts["by"])
