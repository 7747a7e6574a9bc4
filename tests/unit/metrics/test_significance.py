import numpy as np
import pytest

from claimkind.metrics.significance import Sentences, bootstrap_scores, compare_all, holm, mcnemar


def one_hot(predicted):
    return np.eye(3)[predicted]


def simulated(random, size=600, accuracies=(0.75, 0.75), groups_of=1):
    """Sentences, and models of one seed that are right independently of each other."""
    truth = random.integers(3, size=size)
    sentences = Sentences(truth, np.arange(size) // groups_of)

    def model(accuracy):
        wrong = (truth + random.integers(1, 3, size=size)) % 3
        return one_hot(np.where(random.random(size) < accuracy, truth, wrong))[None]

    return sentences, {f"model {index}": model(accuracy) for index, accuracy in enumerate(accuracies)}


def test_a_clear_difference_has_a_verdict_in_words():
    sentences, models = simulated(np.random.default_rng(0), accuracies=(0.7, 0.8))
    [difference] = compare_all(models, sentences)
    assert difference.separable
    assert difference.verdict().startswith("model 1 is better than model 0 by ")
    assert difference.macro_f1.low < difference.macro_f1.value < difference.macro_f1.high < 0


def test_a_difference_that_is_not_significant_comes_with_the_sentences_needed():
    sentences, models = simulated(np.random.default_rng(2), size=150, accuracies=(0.74, 0.78))
    [difference] = compare_all(models, sentences)
    assert not difference.separable
    assert difference.sentences_needed > 150
    assert f"not separable on 150 sentences; about {difference.sentences_needed:,.0f} would" in difference.verdict()


def test_a_model_equals_itself():
    sentences, models = simulated(np.random.default_rng(0))
    [difference] = compare_all({"a": models["model 0"], "b": models["model 0"]}, sentences)
    assert difference.verdict() == "a and b: not separable on 600 sentences (one seed each)"
    assert difference.p == difference.p_mcnemar == 1


def test_sentences_of_one_group_count_less():
    sentences, models = simulated(np.random.default_rng(0), groups_of=1)
    alone = compare_all(models, sentences)[0].macro_f1
    copies = Sentences(np.repeat(sentences.truth, 5), np.repeat(sentences.groups, 5))
    grouped = compare_all({name: np.repeat(rows, 5, axis=1) for name, rows in models.items()}, copies)[0].macro_f1
    assert grouped.high - grouped.low == pytest.approx(alone.high - alone.low, rel=0.1), "copies narrow the interval"


def test_seeds_that_vary_widen_the_interval():
    random = np.random.default_rng(0)
    sentences, models = simulated(random, accuracies=(0.5, 0.75, 0.95))
    scattered = np.concatenate(list(models.values()))
    steady = np.repeat(models["model 1"], 3, axis=0)
    scores = bootstrap_scores({"scattered": scattered, "steady": steady}, sentences)
    found = {name: estimates["macro_f1"] for name, estimates in scores.items()}
    assert found["scattered"].high - found["scattered"].low > 2 * (found["steady"].high - found["steady"].low)


def test_a_clear_difference_stays_significant_among_many_models():
    accuracies = np.linspace(0.4, 0.95, 12)
    sentences, models = simulated(np.random.default_rng(0), accuracies=accuracies)
    worst_and_best = next(d for d in compare_all(models, sentences, samples=400) if d[:2] == ("model 0", "model 11"))
    assert worst_and_best.separable, "66 comparisons hide a difference of 55 points"


def test_models_that_are_not_separable_need_more_sentences_or_fewer_comparisons():
    for seed in range(5):
        sentences, models = simulated(np.random.default_rng(seed), accuracies=(0.7, 0.73, 0.75, 0.76, 0.78, 0.8))
        for difference in compare_all(models, sentences, samples=400):
            if not difference.separable and difference.sentences_needed:
                enough = difference.sentences_needed <= 600
                assert ("if only these two were compared" in difference.verdict()) is enough
                pair = {name: models[name] for name in (difference.first, difference.second)}
                assert not enough or compare_all(pair, sentences, samples=400)[0].separable


def test_one_group_gives_no_interval():
    sentences, models = simulated(np.random.default_rng(0), accuracies=(0.5, 0.9), groups_of=600)
    [difference] = compare_all(models, sentences)
    assert difference.verdict() == "model 0 and model 1: not separable on 600 sentences of one group (one seed each)"
    assert np.isnan([difference.macro_f1.low, bootstrap_scores(models, sentences)["model 0"]["macro_f1"].high]).all()
    several = {name: np.concatenate([rows, rows[..., ::-1], rows]) for name, rows in models.items()}
    assert compare_all(several, sentences)[0].p_holm == 1, "seeds that scatter pass for groups"


def test_few_groups_make_an_interval_wide():
    """Three groups give the plain bootstrap only ten different samples, so its intervals are too narrow."""
    random = np.random.default_rng(0)
    separable = 0
    for _ in range(100):
        sentences, models = simulated(random, size=120)
        groups = np.arange(120) // 40
        for index, predicted in enumerate(models.values()):  # whole groups that a model gets wrong, by chance
            unlucky = random.integers(3) if index else -1
            predicted[0, groups == unlucky] = one_hot((sentences.truth[groups == unlucky] + 1) % 3)
        separable += compare_all(models, sentences._replace(groups=groups), samples=200)[0].separable
    assert separable <= 2


def test_few_seeds_that_vary_make_no_significant_difference():
    random = np.random.default_rng(0)
    separable = 0
    for _ in range(100):
        accuracies = 0.75 + 0.05 * random.normal(size=6)
        sentences, models = simulated(random, size=600, accuracies=accuracies)
        rows = list(models.values())
        both = {"a": np.concatenate(rows[:3]), "b": np.concatenate(rows[3:])}
        separable += compare_all(both, sentences, samples=200)[0].separable
    assert separable <= 9


def test_of_few_groups_more_sentences_are_needed_than_there_are():
    random = np.random.default_rng(0)
    for _ in range(30):
        sentences, models = simulated(random, size=120, accuracies=(0.7, 0.8), groups_of=60)
        [difference] = compare_all(models, sentences, samples=200)
        assert difference.separable or (difference.sentences_needed or 1000) > 120


def test_a_class_that_a_sample_leaves_out_does_not_lower_its_score():
    truth = np.array([0] * 30 + [1] * 30 + [2] * 2)
    sentences = Sentences(truth, np.r_[np.arange(60), 60, 60])
    assert bootstrap_scores({"perfect": one_hot(truth)[None]}, sentences)["perfect"]["macro_f1"].low == 1


def test_if_seeds_vary_too_much_the_verdict_asks_for_more_seeds():
    random = np.random.default_rng(0)
    sentences, models = simulated(random, size=2000, accuracies=(0.6, 0.8, 0.9, 0.66, 0.76, 0.9))
    rows = list(models.values())
    [difference] = compare_all({"a": np.concatenate(rows[:3]), "b": np.concatenate(rows[3:])}, sentences)
    assert difference.verdict() == "a and b: not separable on 2,000 sentences; more seeds would be needed"


def test_a_majority_of_more_seeds_is_no_advantage():
    random = np.random.default_rng(0)
    sentences, models = simulated(random, accuracies=(0.7, 0.7, 0.7, 0.7))
    rows = list(models.values())
    [difference] = compare_all({"one": rows[0], "three": np.concatenate(rows[1:])}, sentences)
    assert difference.p_mcnemar == mcnemar(*(row[0].argmax(axis=1) == sentences.truth for row in rows[:2]))
    assert difference.verdict().endswith("(1 and 3 seeds)")


def test_the_best_of_many_must_be_better_by_more():
    sentences, models = simulated(np.random.default_rng(0), accuracies=(0.74, 0.79))
    one, of_many = (compare_all(models, sentences, comparisons=count)[0] for count in (1, 20))
    assert of_many.p_holm == pytest.approx(min(1, 20 * one.p))
    assert of_many.sentences_needed == one.sentences_needed, "it depends on the two models alone"


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.01], comparisons=4) == pytest.approx([0.04])
    assert holm([]) == []


def test_mcnemar_by_hand():
    # 8 sentences that only the first gets right, 1 that only the second does: 2 · (1 + 9) / 2^9
    first = np.array([True] * 8 + [False] + [True] * 20)
    second = np.array([False] * 8 + [True] + [True] * 20)
    assert mcnemar(first, second) == pytest.approx(20 / 512)


@pytest.mark.slow
def test_equal_models_are_seldom_called_different():
    random = np.random.default_rng(0)
    draws = [compare_all(*reversed(simulated(random, size=400)), samples=400)[0] for _ in range(1000)]
    assert sum(not draw.separable for draw in draws) >= 940


@pytest.mark.slow
def test_the_interval_covers_a_known_difference():
    random = np.random.default_rng(1)
    # Balanced classes and errors spread evenly: macro F1 is the accuracy, so the difference is 0.06.
    draws = [
        compare_all(*reversed(simulated(random, size=500, accuracies=(0.8, 0.74))), samples=400)[0].macro_f1
        for _ in range(1000)
    ]
    covered = sum(draw.low <= 0.06 <= draw.high for draw in draws)
    assert 930 <= covered <= 970
