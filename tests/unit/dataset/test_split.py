import numpy as np
import pandas as pd
import pytest

from claimkind.dataset.split import check_shares, split_by_group
from claimkind.errors import ClaimkindError

SHARES = {"validation": 0.15, "test": 0.2}


def make_rows(groups=200, seed=0):
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 30, groups)
    names = np.repeat([f"g{index:03d}" for index in range(groups)], sizes)
    genres = np.repeat(random.choice(["news", "speech"], groups, p=[0.8, 0.2]), sizes)
    labels = np.where(random.random(len(names)) < 0.5, "factual", "opinion")
    return pd.DataFrame(
        {"group": names, "document": names, "genre": genres, "source": "s", "label": labels, "pinned": False}
    )


def split(rows, **changes):
    return split_by_group(rows, **{"shares": SHARES, "seed": 0, **changes})


def test_no_group_is_on_two_sides():
    rows = make_rows()
    assert split(rows).groupby(rows["group"]).nunique().max() == 1


def test_shares_are_met_overall_and_in_each_genre():
    rows = make_rows()
    sides = split(rows)
    assert sides.value_counts(normalize=True)["test"] == pytest.approx(0.2, abs=0.02)
    assert sides.value_counts(normalize=True)["validation"] == pytest.approx(0.15, abs=0.02)
    for _, part in sides.groupby(rows["genre"]):
        assert part.value_counts(normalize=True)["test"] == pytest.approx(0.2, abs=0.08)


def test_the_order_of_rows_does_not_matter_and_the_seed_does():
    rows = make_rows()
    shuffled = rows.sample(frac=1, random_state=1)
    pd.testing.assert_series_equal(split(rows), split(shuffled).sort_index())
    assert (split(rows, seed=1) != split(rows)).any()


def test_groups_of_pinned_rows_are_on_the_test_side_whatever_the_seed():
    rows = make_rows()
    rows.loc[rows.index[rows["group"] == "g007"][0], "pinned"] = True
    for seed in range(5):
        assert set(split(rows, seed=seed)[rows["group"] == "g007"]) == {"test"}


def test_groups_without_a_label_go_to_train():
    rows = make_rows()
    rows.loc[rows["group"] < "g100", "label"] = None
    assert set(split(rows)[rows["group"] < "g100"]) == {"train"}


def test_too_few_groups_are_refused():
    with pytest.raises(ClaimkindError, match="1 groups leave the validation split empty"):
        split(make_rows(groups=1))


def test_rows_pinned_in_one_source_take_nothing_from_the_test_side_of_another():
    ours, theirs = make_rows(seed=1), make_rows(seed=2).assign(source="t")
    theirs["group"] = "t" + theirs["group"]
    theirs["pinned"] = theirs["group"] < "tg100"
    sides = split(pd.concat([ours, theirs], ignore_index=True))
    assert sides[: len(ours)].value_counts(normalize=True)["test"] == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(("validation", "test"), [(0.1, 2), (-0.5, 0.1), (0.6, 0.5), (0.1, 0)])
def test_shares_that_leave_nothing_to_train_on_are_refused(validation, test):
    with pytest.raises(ClaimkindError, match=r"dataset\.(validation|test)_share=.*, expected more than 0 and"):
        check_shares({"validation": validation, "test": test})
