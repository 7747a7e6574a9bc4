import hashlib

import numpy as np
import pytest

from claimkind.errors import ClaimkindError
from claimkind.models.hashing import HashingClassifier, HashingSettings
from claimkind.training.distillation import (
    Distillation,
    Excluded,
    distil,
    mean_probabilities,
    read_texts,
    with_soft_targets,
)
from claimkind.training.weights import WeightedExamples

EXCLUDED = Excluded(near_duplicate_threshold=0.7)


class Teacher:
    """Is certain about one text and undecided about the others."""

    def predict_proba(self, texts):
        return np.array([[0.995, 0.004, 0.001] if text == "Sun." else [0.7, 0.3, 0.0] for text in texts])


class Doubter:
    """Holds every class equally possible."""

    def predict_proba(self, texts):
        return np.full((len(texts), 3), 1 / 3)


@pytest.fixture
def teachers(monkeypatch):
    """Saved models by URI, in place of a store."""
    saved = {"models:/m-1": Teacher(), "models:/m-2": Doubter()}
    monkeypatch.setattr("claimkind.tracking.fetch_model", lambda model_uri, key: saved[model_uri])


def test_a_text_is_an_example_of_each_class_that_its_target_holds_possible():
    targets = np.array([[0.995, 0.004, 0.001], [0.7, 0.3, 0.0]])
    examples = with_soft_targets(["Sun.", "Rain?"], targets, np.array([1.0, 2.0]))
    assert examples.texts == ["Sun.", "Rain?", "Rain?"]
    assert examples.evidence.tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert examples.weights.tolist() == pytest.approx([0.995, 1.4, 0.6])


def test_a_student_learns_the_probabilities_of_its_teacher():
    texts = ["Sun.", "Rain?"] * 50
    examples = with_soft_targets(texts, Teacher().predict_proba(texts), np.ones(100))
    student = HashingClassifier(HashingSettings(C=1e4, balanced=False)).fit(
        examples.texts, examples.evidence, weights=examples.weights
    )
    np.testing.assert_allclose(student.predict_proba(["Rain?"]), [[0.7, 0.3, 0.0]], atol=0.02)


def test_several_teachers_teach_their_mean(teachers):
    taught = mean_probabilities(["models:/m-1", "models:/m-2"], ["Rain?"])
    np.testing.assert_allclose(taught, [[(0.7 + 1 / 3) / 2, (0.3 + 1 / 3) / 2, 1 / 6]])


def test_texts_are_read_once_each_and_documents_are_split(tmp_path):
    (tmp_path / "one.txt").write_text("It rains. It rains. Sun.")
    (tmp_path / "two.csv").write_text("text,id\nSun.,1\nFog.,2\n,3\n")
    paths = [str(tmp_path / "one.txt"), str(tmp_path / "two.csv")]
    assert read_texts(paths, [], EXCLUDED) == ["It rains.", "Sun.", "Fog."]
    with pytest.raises(ClaimkindError, match="none does not exist"):
        read_texts([str(tmp_path / "none")], [], EXCLUDED)


def test_held_out_sentences_and_those_of_benchmarks_are_not_trained_on(tmp_path):
    (tmp_path / "one.txt").write_text("It rains. Sun.")
    paths = [str(tmp_path / "one.txt")]
    assert read_texts(paths, ["it  RAINS."], EXCLUDED) == ["Sun."]
    digest = hashlib.sha256(b"sun.").hexdigest()[:16]
    (tmp_path / "subj.txt").write_text(f"{digest}\n")
    with pytest.raises(ClaimkindError, match=r"1 sentences of the benchmark subj are in the source .*one\.txt"):
        read_texts(paths, [], Excluded([str(tmp_path / "subj.txt")]))


def test_near_duplicates_of_held_out_sentences_are_not_trained_on(tmp_path):
    held_out = "The council approved the new bridge over the river on Monday evening."
    (tmp_path / "one.txt").write_text(held_out.replace("Monday", "Sunday") + "\nThe bank raised its rates.")
    assert read_texts([str(tmp_path / "one.txt")], [held_out], EXCLUDED) == ["The bank raised its rates."]


EXAMPLES = WeightedExamples(
    ["Fog.", "Sun.", "Hail!"], np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1.0]]), np.array([0.5, 1.0, 2.0])
)


def test_examples_without_a_label_get_the_probabilities_of_the_teacher(teachers):
    taught = distil(EXAMPLES, Distillation(["models:/m-1"], weight=1.0, share=0.0), held_out=[])
    assert taught.texts == ["Hail!", "Fog.", "Fog.", "Sun."]
    assert taught.evidence.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0]]
    assert taught.weights.tolist() == pytest.approx([2.0, 0.35, 0.15, 0.995])


def test_examples_with_a_label_get_a_mixture_of_it_and_the_probabilities_of_the_teacher(teachers, tmp_path):
    (tmp_path / "more.txt").write_text("Sun.")
    taught = distil(EXAMPLES, Distillation(["models:/m-1"], 3.0, 0.25, [str(tmp_path)]), held_out=[])
    assert taught.texts == ["Hail!"] * 3 + ["Fog.", "Fog.", "Sun.", "Sun."]
    assert taught.evidence[:3].tolist() == np.eye(3).tolist()
    # Hail!: 2 * (0.75 of the label opinion + 0.25 of 0.7 factual, 0.3 speculative).
    assert taught.weights.tolist() == pytest.approx([0.35, 0.15, 1.5, 0.35, 0.15, 0.995, 3 * 0.995])


def test_a_student_may_learn_from_labelled_examples_alone(teachers):
    labelled = WeightedExamples(["Hail!"], np.eye(3)[2:], np.ones(1))
    taught = distil(labelled, Distillation(["models:/m-1"], weight=0.0), held_out=[])
    assert taught.weights.tolist() == pytest.approx([0.35, 0.15, 0.5])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"weight": 0.0, "share": 0.0}, "distil_from has no effect with evidence_weight=0: raise it"),
        ({"weight": 0.0, "texts": ["folder"]}, "distil_texts has no effect with evidence_weight=0: raise it"),
        ({"weight": 1.0, "share": 1.5}, "distil_share=1.5, expected 0 to 1"),
    ],
)
def test_a_distillation_without_effect_is_refused(settings, sentence):
    with pytest.raises(ClaimkindError, match=sentence):
        Distillation(["models:/m-1"], **settings)


def test_a_teacher_without_sentences_is_refused(teachers):
    labelled = WeightedExamples(["Sun."], np.eye(3)[:1], np.ones(1))
    with pytest.raises(ClaimkindError, match="distil_from has no text to teach with, expected rows without a label"):
        distil(labelled, Distillation(["models:/m-1"], weight=1.0, share=0.0), held_out=[])
