import hashlib

import numpy as np
import pytest

from claimkind.errors import ClaimkindError
from claimkind.models.hashing import HashingClassifier, HashingSettings
from claimkind.training.distillation import Distillation, Excluded, distil, label_with_teacher, read_texts
from claimkind.training.weights import WeightedExamples

EXCLUDED = Excluded(near_duplicate_threshold=0.7)


class Teacher:
    """Is certain about one text and undecided about the others."""

    def predict_proba(self, texts):
        return np.array([[0.995, 0.004, 0.001] if text == "Sun." else [0.7, 0.3, 0.0] for text in texts])


def test_a_text_is_an_example_of_each_class_that_the_teacher_holds_possible():
    examples = label_with_teacher(Teacher(), ["Sun.", "Rain?"], np.array([1.0, 2.0]))
    assert examples.texts == ["Sun.", "Rain?", "Rain?"]
    assert examples.evidence.tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert examples.weights.tolist() == pytest.approx([0.995, 1.4, 0.6])


def test_a_student_learns_the_probabilities_of_its_teacher():
    texts = ["Sun.", "Rain?"] * 50
    examples = label_with_teacher(Teacher(), texts, np.ones(100))
    student = HashingClassifier(HashingSettings(C=1e4, balanced=False)).fit(
        examples.texts, examples.evidence, weights=examples.weights
    )
    np.testing.assert_allclose(student.predict_proba(["Rain?"]), [[0.7, 0.3, 0.0]], atol=0.02)


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


def test_labelled_examples_stay_and_the_others_get_the_probabilities_of_the_teacher(monkeypatch):
    monkeypatch.setattr("claimkind.tracking.fetch_model", lambda model_uri, key: Teacher())
    examples = WeightedExamples(
        ["Fog.", "Sun.", "Hail!"], np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1.0]]), np.array([0.5, 1.0, 2.0])
    )
    taught = distil(examples, Distillation("models:/m-1", weight=1.0), held_out=[])
    assert taught.texts == ["Hail!", "Fog.", "Fog.", "Sun."]
    assert taught.evidence.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0]]
    assert taught.weights.tolist() == pytest.approx([2.0, 0.35, 0.15, 0.995])


def test_a_teacher_without_weight_or_sentences_is_refused(monkeypatch):
    with pytest.raises(ClaimkindError, match="distil_from teaches rows that weigh evidence_weight=0: raise it"):
        Distillation("models:/m-1", weight=0.0)
    labelled = WeightedExamples(["Sun."], np.eye(3)[:1], np.ones(1))
    with pytest.raises(ClaimkindError, match="distil_from has no text to teach with, expected rows without a label"):
        distil(labelled, Distillation("models:/m-1", weight=1.0), held_out=[])
