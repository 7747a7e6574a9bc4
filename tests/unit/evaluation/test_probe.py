import csv

import numpy as np
import pytest

from claimkind.errors import ClaimkindError
from claimkind.evaluation.probe import LinearProbe
from claimkind.manifest import sha256_file
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
    score = LinearProbe("news", source(tmp_path, train=TRAIN, test=TEST)).measure(model, samples=200)
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
    score = LinearProbe("news", source(tmp_path, train=rows, test=TEST[:2])).measure(LengthAndLovely(), samples=50)
    assert score.accuracy == 1.0, "the lovely sentence was called objective, as most lovely ones in training were"


def test_excluded_test_sentences_are_not_trained_on(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    # The same sentence in another typography.
    without = source(other, test=[("RAIN fell on day 3.", "OBJ")], train=[("Snow fell.", "OBJ")])
    model = LengthAndLovely()
    score = LinearProbe("news", source(tmp_path, train=TRAIN, test=TEST), exclude=without).measure(model, samples=50)
    assert score.train_size == 39
    assert "Rain fell on day 3." not in model.seen[0]


def test_a_probe_draws_its_training_rows(tmp_path):
    model = LengthAndLovely()
    score = LinearProbe("probe", source(tmp_path, train=TRAIN), train_rows=30).measure(model, samples=50)
    assert (score.train_size, score.test_size) == (30, 10)
    assert not set(model.seen[0]) & set(model.seen[1])


def test_a_test_set_without_a_test_file_is_refused(tmp_path):
    with pytest.raises(ClaimkindError, match=r"no training rows or no test rows, expected both.*source.always_test"):
        LinearProbe("news", source(tmp_path, train=TRAIN)).measure(LengthAndLovely(), samples=50)


def test_a_benchmark_of_the_other_script_is_refused_in_one_sentence(in_workspace):
    done = run_script(
        "benchmark", "benchmark=build", "benchmark._target_=claimkind.evaluation.probe.LinearProbe", cwd=in_workspace
    )
    assert done.returncode == 2
    assert "probe.LinearProbe', expected a class in claimkind.benchmarks" in done.stderr


@pytest.mark.parametrize("rows", [0, 3, 100_000])
def test_too_few_rows_are_refused_in_one_sentence(tmp_path, rows):
    sentence = r"training rows and \d+ test rows, expected at least 5 .*: change probe\.train_rows"
    with pytest.raises(ClaimkindError, match=sentence):
        LinearProbe("probe", source(tmp_path, train=TRAIN), train_rows=rows).measure(LengthAndLovely(), samples=50)
