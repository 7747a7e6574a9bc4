import numpy as np
import pandas as pd

from claimkind.dataset.near_duplicates import (
    equal_links,
    first_of_equals,
    merge_groups,
    near_duplicate_links,
    normalise,
)


def test_typography_does_not_make_a_sentence_another():
    assert normalise("“It’s   over” – he said…") == normalise('"It\'s over" - he SAID...')
    assert normalise("It is over.") != normalise("It is not over.")


def test_the_row_with_our_label_is_kept_and_else_the_first():
    keys = pd.Series(["a", "b", "a", "b", "c"])
    labels = pd.Series([None, "factual", "opinion", "opinion", None])
    assert first_of_equals(keys, labels).tolist() == [False, True, True, False, True]


def test_planted_near_duplicates_are_found_and_others_are_not():
    random = np.random.default_rng(0)
    words = [f"{a}{b}{c}" for a in "bdfgk" for b in "aeiou" for c in ("lt", "rn", "st", "mp")]
    texts = [" ".join(random.choice(words, 14)) for _ in range(500)]
    planted = [text.replace(text.split()[3], "quite", 1) for text in texts[:100]]
    links = near_duplicate_links([*texts, *planted], threshold=0.7)
    found = {(a, b) for a, b in links.tolist()}
    assert len(found & {(i, 500 + i) for i in range(100)}) >= 95
    assert found <= {(i, 500 + i) for i in range(100)}


def test_linked_groups_become_one_and_are_called_by_the_first_name():
    groups = pd.Series(["z", "y", "x", "w"])
    assert merge_groups(groups, np.array([[0, 1], [1, 2]])).tolist() == ["x", "x", "x", "w"]
    assert merge_groups(groups, np.zeros((0, 2), dtype=int)).tolist() == ["z", "y", "x", "w"]


def test_equal_keys_are_linked_to_the_first():
    assert equal_links(pd.Series(["a", "b", "a", "a"])).tolist() == [[0, 2], [0, 3]]
