import json

import numpy as np
import pytest

from claimkind import models
from claimkind.errors import ClaimkindError
from claimkind.labels import one_hot
from claimkind.models import hashing
from claimkind.models.hashing import HashingClassifier, HashingSettings, _words_of
from claimkind.models.settings import SETTINGS

TEXTS = ["Rain fell.", "Rain might fall.", "Rain is sadly dull."]
EVIDENCE = one_hot(["factual", "speculative", "opinion"])


def words(*texts):
    numbers, owners = _words_of(texts)
    return [numbers[owners == place].tolist() for place in range(len(texts))]


def test_a_word_is_the_same_number_wherever_it_stands():
    [[one], [_, _, _, same], [other]] = words("rain", "It fell: RAIN", "rains")
    assert one == same != other


def test_marks_are_words_and_blanks_are_not():
    assert [len(found) for found in words("a, b!", "  ", "", "a\tb\nc_1", "“Ünï”")] == [4, 0, 0, 3, 3]


def test_typographic_marks_equal_plain_ones():
    assert words("“it’s”") == words('"it\'s"')


def test_a_null_character_does_not_split_a_text():
    assert words("a\0b", "c") == words("a b", "c")


def test_the_size_of_batches_changes_nothing(monkeypatch):
    fitted = HashingClassifier().fit(TEXTS * 3, np.tile(EVIDENCE, (3, 1)))
    texts = [*TEXTS, "", "Rain " * 50, *TEXTS]
    whole, features = fitted.predict_proba(texts), fitted.features(texts).toarray()
    monkeypatch.setattr(hashing, "_BATCH_CHARACTERS", 20)
    np.testing.assert_allclose(fitted.predict_proba(texts), whole, atol=1e-7)
    np.testing.assert_allclose(fitted.features(texts).toarray(), features, atol=1e-7)


def test_predictions_of_the_table_are_those_of_the_regression():
    texts = [f"{text} {number}" for number in range(20) for text in TEXTS]
    fitted = HashingClassifier(HashingSettings(C=1e5)).fit(texts, np.tile(EVIDENCE, (20, 1)))
    assert fitted.predict_proba(TEXTS).argmax(axis=1).tolist() == [0, 1, 2]
    assert fitted.predict_proba(TEXTS).max(axis=1).min() > 0.9


def test_a_class_that_no_row_has_gets_probability_zero():
    probabilities = HashingClassifier().fit(TEXTS[:2], EVIDENCE[:2]).predict_proba(TEXTS)
    assert probabilities[:, 2].tolist() == [0, 0, 0]
    assert probabilities[:2].argmax(axis=1).tolist() == [0, 1]


def test_sizes_out_of_range_are_refused():
    with pytest.raises(ClaimkindError, match=r"model\.ngrams=0, expected 1 to 5"):
        HashingClassifier(HashingSettings(ngrams=0))


def test_a_table_of_another_size_is_refused(tmp_path):
    models.save(HashingClassifier(HashingSettings(bits=10)).fit(TEXTS, EVIDENCE), tmp_path / "model")
    (tmp_path / "model" / SETTINGS).write_text(json.dumps({"ngrams": 2, "bits": 11}))
    with pytest.raises(ClaimkindError, match="is of another size than its settings say: train again"):
        HashingClassifier.load(tmp_path / "model")
    (tmp_path / "model" / "hashing.safetensors").write_bytes(b"no")
    with pytest.raises(ClaimkindError, match=r"hashing\.safetensors does not load .*: train again"):
        HashingClassifier.load(tmp_path / "model")
