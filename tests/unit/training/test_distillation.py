import hashlib

import numpy as np
import pytest

from claimkind.config import DatasetConfig
from claimkind.errors import ClaimkindError
from claimkind.models.hashing import HashingClassifier, HashingSettings
from claimkind.training.distillation import label_with_teacher, read_texts


class Teacher:
    """Is certain of one text and torn about the others."""

    def predict_proba(self, texts):
        return np.array([[0.995, 0.004, 0.001] if text == "Sun." else [0.7, 0.3, 0.0] for text in texts])


def test_a_text_is_a_lesson_in_each_class_that_it_may_be_of():
    examples = label_with_teacher(Teacher(), ["Sun.", "Rain?"], np.array([1.0, 2.0]))
    assert examples.texts == ["Sun.", "Rain?", "Rain?"]
    assert examples.evidence.tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert examples.weights.tolist() == pytest.approx([0.995, 1.4, 0.6])


def test_a_student_says_what_its_teacher_says():
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
    assert read_texts(paths, [], DatasetConfig()) == ["It rains.", "Sun.", "Fog."]
    with pytest.raises(ClaimkindError, match="none does not exist"):
        read_texts([str(tmp_path / "none")], [], DatasetConfig())


def test_nothing_that_a_model_is_measured_on_is_a_lesson(tmp_path):
    (tmp_path / "one.txt").write_text("It rains. Sun.")
    paths = [str(tmp_path / "one.txt")]
    assert read_texts(paths, ["it  RAINS."], DatasetConfig()) == ["Sun."]
    digest = hashlib.sha256(b"sun.").hexdigest()[:16]
    (tmp_path / "subj.txt").write_text(f"{digest}\n")
    with pytest.raises(ClaimkindError, match=r"1 sentences of the benchmark subj are in the source .*one\.txt"):
        read_texts(paths, [], DatasetConfig(contamination_hashes=[str(tmp_path / "subj.txt")]))


def test_what_is_nearly_a_sentence_that_a_model_is_measured_on_is_no_lesson_either(tmp_path):
    measured = "The council approved the new bridge over the river on Monday evening."
    (tmp_path / "one.txt").write_text(measured.replace("Monday", "Sunday") + "\nThe bank raised its rates.")
    assert read_texts([str(tmp_path / "one.txt")], [measured], DatasetConfig()) == ["The bank raised its rates."]
