from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from claimkind.scoring.summary import Summary, reference_of

REFERENCE = reference_of(["factual"] * 6 + ["speculative"] * 2 + ["opinion"] * 2, np.full(10, 0.95))


def summary_of(labels: list[str], unit: str = "sentence", confidence: float = 0.75) -> str:
    summary = Summary(Path("out.csv"), Path("out.csv.rejected.jsonl"), REFERENCE, unit=unit)
    rows = pd.DataFrame({"label": labels, "confidence": confidence, "windows": 1, "text": "x", "kind": "sentence"})
    summary.add(rows, [], np.ones(len(rows), dtype=bool))
    return summary.text()


def test_label_shares_are_compared_with_those_of_the_test_set_in_points():
    last = summary_of(["factual"] * 15 + ["speculative"] * 65 + ["opinion"] * 20).splitlines()[-1]
    assert last == (
        "label shares differ from the model's test set by 45 points (15% factual here, 60% there; 65% speculative "
        "here, 20% there; 20% opinion here, 20% there), confidences by 100 points"
    )


@pytest.mark.parametrize(("size", "compared"), [(99, False), (100, True)])
def test_a_small_text_is_not_compared_with_the_test_set(size, compared):
    assert ("test set" in summary_of(["opinion"] * size)) is compared


@pytest.mark.parametrize(
    ("labels", "unit", "beginning"),
    [
        (["factual", "opinion"], "row", "out.csv: 2 rows, 1 factual, 0 speculative, 1 opinion\n"),
        (["factual"], "sentence", "out.csv: 1 sentence, 1 factual, 0 speculative, 0 opinion\n"),
    ],
)
def test_rows_and_sentences_are_counted_as_what_they_are(labels, unit, beginning):
    text = summary_of(labels, unit)
    assert text.startswith(beginning)
    assert f" {unit}s/s, peak memory" in text
