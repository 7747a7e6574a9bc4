import csv
import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from claimkind.errors import ClaimkindError
from claimkind.evaluation.probe import Probe
from claimkind.labels import one_hot
from claimkind.manifest import sha256_file
from claimkind.models.calibration import CalibratedClassifier
from claimkind.models.transformer import TransformerClassifier, TransformerSettings
from tests.conftest import run_script

TRAIN = [(f"Rain fell on day {n}.", "OBJ") for n in range(20)] + [
    (f"A lovely day, the {n}th.", "SUBJ") for n in range(20)
]
TEST = [("Rain fell on Sunday.", "OBJ"), ("A lovely Sunday.", "SUBJ"), ("Rain fell, lovely or not.", "OBJ")]


class LengthAndLovely:
    """A model whose features are the length of a text and whether it has the word *lovely*."""

    def __init__(self):
        self.seen = []

    def features(self, texts):
        self.seen.append(list(texts))
        return np.array([[len(text), "lovely" in text] for text in texts], dtype=float)


def source(folder, **files):
    for name, rows in files.items():
        with (folder / f"{name}.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([("sentence", "label"), *rows])
    return {
        "_target_": "claimkind.dataset.sources.table.Table", "folder": str(folder), "licence": "own",
        "files": {f"{name}.csv": sha256_file(folder / f"{name}.csv") for name in files},
        "text_column": "sentence", "source_labels": {"OBJ": "OBJ", "SUBJ": "SUBJ"}, "always_test": ["test"],
    }  # fmt: skip


def test_a_probe_is_trained_on_its_training_files_and_tested_on_its_test_files(tmp_path):
    model = LengthAndLovely()
    score = Probe("news", source(tmp_path, train=TRAIN, test=TEST)).measure(model, samples=200)
    assert (score.name, score.train_size, score.test_size) == ("news", 40, 3)
    # The last sentence is lovely, which only opinions were in training: one of three is wrong.
    assert score.accuracy == pytest.approx(2 / 3)
    assert score.macro_f1.value == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert score.macro_f1.low <= score.macro_f1.value <= score.macro_f1.high
    assert not set(model.seen[0]) & {text for text, _ in TEST}


def test_a_rare_label_counts_as_much_as_a_frequent_one(tmp_path):
    # Every seventh objective sentence is lovely too, so of the lovely ones only a third is subjective.
    rows = [(f"{'A lovely' if n % 7 == 0 else 'Rain on'} day {n % 7}.", "OBJ") for n in range(70)]
    rows += [("A lovely day 0.", "SUBJ")] * 5
    score = Probe("news", source(tmp_path, train=rows, test=TEST[:2])).measure(LengthAndLovely(), samples=50)
    assert score.accuracy == 1.0, "the lovely sentence was called objective, as most lovely ones in training were"


def test_excluded_test_sentences_are_not_trained_on(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    # The same sentence in another typography.
    without = source(other, test=[("RAIN fell on day 3.", "OBJ")], train=[("Snow fell.", "OBJ")])
    model = LengthAndLovely()
    score = Probe("news", source(tmp_path, train=TRAIN, test=TEST), exclude=without).measure(model, samples=50)
    assert score.train_size == 39
    assert "Rain fell on day 3." not in model.seen[0]


def test_a_probe_draws_its_training_rows(tmp_path):
    model = LengthAndLovely()
    score = Probe("probe", source(tmp_path, train=TRAIN), train_rows=30).measure(model, samples=50)
    assert (score.train_size, score.test_size) == (30, 10)
    assert not set(model.seen[0]) & set(model.seen[1])


def test_a_test_set_without_a_test_file_is_refused(tmp_path):
    with pytest.raises(ClaimkindError, match=r"no training rows or no test rows, expected both.*source.always_test"):
        Probe("news", source(tmp_path, train=TRAIN)).measure(LengthAndLovely(), samples=50)


def test_a_benchmark_of_the_other_script_is_refused_in_one_sentence(in_workspace):
    done = run_script(
        "benchmark", "benchmark=build", "benchmark._target_=claimkind.evaluation.probe.Probe", cwd=in_workspace
    )
    assert done.returncode == 2
    assert "probe.Probe', expected a class in claimkind.benchmarks" in done.stderr


@pytest.mark.parametrize("rows", [0, 3, 100_000])
def test_too_few_rows_are_refused_in_one_sentence(tmp_path, rows):
    sentence = r"training rows and \d+ test rows, expected at least 5 .*: change probe\.train_rows"
    with pytest.raises(ClaimkindError, match=sentence):
        Probe("probe", source(tmp_path, train=TRAIN), train_rows=rows).measure(LengthAndLovely(), samples=50)


def test_test_sentences_that_models_may_know_are_left_out_also_where_one_side_is_tokenised(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    known = source(other, train=[("A lovely Sunday .", "SUBJ")])
    probe = Probe("news", source(tmp_path, train=TRAIN, test=TEST), exclude_from_test=known)
    model = LengthAndLovely()
    assert probe.measure(model, samples=50).test_size == 2
    assert "A lovely Sunday." not in model.seen[1]


def test_test_sentences_are_not_trained_on(tmp_path):
    probe = Probe("news", source(tmp_path, train=[*TRAIN, TEST[0]], test=TEST))
    assert probe.measure(LengthAndLovely(), samples=50).train_size == 40


class Doubtful(LengthAndLovely):
    """A model that calls a sentence more speculative the longer it is."""

    def predict_proba(self, texts):
        speculative = np.array([len(text) for text in texts]) / 1000
        return np.column_stack([1 - speculative, speculative, 0 * speculative])


def uds(folder, **files):
    for name, rows in files.items():
        lines = [{"text": text, "targets": [{"label": label} for label in labels]} for text, *labels in rows]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return {
        "_target_": "claimkind.dataset.sources.uds.UdsFactuality", "folder": str(folder), "url": "http://localhost",
        "files": {f"{name}.jsonl": sha256_file(folder / f"{name}.jsonl") for name in files}, "always_test": ["test"],
    }  # fmt: skip


def test_certainty_correlates_with_the_probability_of_speculation(tmp_path):
    train = [(f"Rain fell {n}.", 3, -2.5) for n in range(9)] + [(f"A lovely day {n}.", 3, 0.5) for n in range(9)]
    test = [
        ("It rained.", 2.9),
        ("It was lovely, maybe.", -0.4, 3),
        ("Rain, in some of the towns.", 1.5),
        ("Rain.", 2.5),
    ]
    score = Probe("uds", uds(tmp_path, train=train, test=test)).measure(Doubtful(), samples=50)
    # The third test sentence is neither settled nor unsettled, but its certainty counts.
    assert (score.train_size, score.test_size) == (18, 3)
    assert score.accuracy == 1.0
    expected = spearmanr([len(text) for text, *_ in test], [2.9, 0.4, 1.5, 2.5]).statistic
    assert score.correlation.value == pytest.approx(expected)
    assert score.correlation.low <= expected <= score.correlation.high
    assert "rank correlation" in score.table().columns[-1]


def test_rows_without_a_label_are_not_trained_on_where_rows_are_drawn(tmp_path):
    rows = [(f"Rain fell {n}.", 3) for n in range(20)] + [(f"A lovely day {n}.", 0.5) for n in range(20)]
    rows += [(f"Rain, perhaps, {n}.", 1.5) for n in range(20)]  # neither settled nor unsettled
    score = Probe("uds", uds(tmp_path, train=rows), train_rows=40).measure(Doubtful(), samples=50)
    assert score.train_size < 40
    assert score.train_size + score.test_size == 40


def test_a_copy_is_fine_tuned_and_the_model_stays_as_it_is(tmp_path, tiny_encoder):
    settings = TransformerSettings(str(tiny_encoder), epochs=1, batch_size=8, learning_rate=5e-3, rdrop_alpha=0.5)
    texts = [text for text, _ in TRAIN[:6]]
    model = TransformerClassifier(settings).fit(texts, one_hot(["factual", "speculative", "opinion"] * 2))
    before = model.predict_proba(texts)
    probe = Probe("news", source(tmp_path, train=TRAIN, test=TEST[:2]), fine_tune=True, epochs=8)
    score = probe.measure(CalibratedClassifier(model), samples=50)
    assert (score.name, score.method) == ("news_fine_tuned", "fine-tuned")
    assert score.accuracy == 1.0
    np.testing.assert_array_equal(model.predict_proba(texts), before)


def test_a_model_that_is_no_transformer_cannot_be_fine_tuned(tmp_path):
    probe = Probe("news", source(tmp_path, train=TRAIN, test=TEST), fine_tune=True)
    with pytest.raises(ClaimkindError, match=r"probe\.fine_tune needs a transformer"):
        probe.measure(LengthAndLovely(), samples=50)
