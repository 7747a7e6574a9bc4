"""What every model family must keep to."""

import json
import os

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from claimkind import models
from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS, one_hot
from claimkind.models.base import Examples
from claimkind.models.hashing import HashingClassifier
from claimkind.models.tfidf import TfidfClassifier
from claimkind.models.transformer import TransformerClassifier
from tests.conftest import PLACES, TEMPLATES

TEXTS = [template.format(place) for place in PLACES[:6] for kind in LABELS for template in TEMPLATES[kind]]
NAMES = [kind for _ in PLACES[:6] for kind in LABELS for _ in TEMPLATES[kind]]


def make_tfidf(_encoder, seed=0):
    return TfidfClassifier(min_df=1, seed=seed)


def make_hashing(_encoder, seed=0):
    return HashingClassifier(bits=16, C=100, seed=seed)


def make_transformer(encoder, seed=0):
    # Fifteen epochs of a tiny encoder: enough to know ninety sentences by heart.
    return TransformerClassifier(
        encoder=str(encoder), epochs=15, batch_size=16, learning_rate=3e-3, precision="fp32", seed=seed
    )


@pytest.fixture(
    scope="module", params=[make_tfidf, make_hashing, make_transformer], ids=["tfidf", "hashing", "transformer"]
)
def make(request, tiny_encoder):
    return lambda seed=0: request.param(tiny_encoder, seed)


@pytest.fixture(scope="module")
def fitted(make):
    return make().fit(TEXTS, one_hot(NAMES))


def to_array(features):
    return features.toarray() if sparse.issparse(features) else features


class TestContract:
    def test_it_learns_its_training_sentences_by_heart(self, fitted):
        predicted = fitted.predict_proba(TEXTS).argmax(axis=1)
        assert [LABELS[index] for index in predicted] == NAMES

    def test_probabilities_are_a_row_of_three_that_sums_to_one(self, fitted):
        probabilities = fitted.predict_proba(TEXTS)
        assert probabilities.shape == (len(TEXTS), 3)
        assert probabilities.dtype == np.float64
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-9)

    def test_columns_stand_in_our_order_not_in_that_of_the_alphabet(self, fitted):
        for column, label in enumerate(LABELS):
            text = TEMPLATES[label][0].format("Arden")
            assert fitted.predict_proba([text])[0].argmax() == column

    def test_no_text_and_one_text_are_fine(self, fitted):
        assert fitted.predict_proba([]).shape == (0, 3)
        assert fitted.predict_proba(["Rain."]).shape == (1, 3)

    def test_a_text_gets_the_same_probabilities_whatever_stands_beside_it(self, fitted):
        alone = np.concatenate([fitted.predict_proba([text]) for text in TEXTS[:5]])
        np.testing.assert_allclose(fitted.predict_proba(TEXTS)[:5], alone, atol=1e-5)

    def test_odd_texts_do_not_break_it(self, fitted):
        odd = ["", " ", "…", "\u0000", "🙂" * 50, "word " * 5000]
        assert np.isfinite(fitted.predict_proba(odd)).all()

    def test_the_same_seed_gives_the_same_model(self, make, fitted):
        again = make().fit(TEXTS, one_hot(NAMES))
        np.testing.assert_array_equal(again.predict_proba(TEXTS), fitted.predict_proba(TEXTS))

    def test_a_saved_model_gives_the_same_probabilities(self, fitted, tmp_path):
        models.save(fitted, tmp_path / "model")
        loaded = models.load(tmp_path / "model")
        assert type(loaded) is type(fitted)
        np.testing.assert_array_equal(loaded.predict_proba(TEXTS), fitted.predict_proba(TEXTS))

    def test_every_file_of_a_saved_model_is_readable_as_umask_says(self, fitted, tmp_path):
        before = os.umask(0o022)
        try:
            models.save(fitted, tmp_path / "model")
        finally:
            os.umask(before)
        assert {path.name for path in (tmp_path / "model").iterdir() if path.stat().st_mode & 0o777 != 0o644} == set()

    def test_features_are_a_row_a_text_and_tell_the_classes(self, fitted):
        features = fitted.features(TEXTS)
        assert features.shape[0] == len(TEXTS)
        assert fitted.features(["Rain."]).shape == (1, features.shape[1])
        np.testing.assert_allclose(to_array(fitted.features(TEXTS[:3])), to_array(features[:3]), atol=1e-5)
        head = LogisticRegression(C=100, max_iter=1000).fit(features, NAMES)
        assert head.score(features, NAMES) == 1

    def test_evidence_of_two_classes_still_teaches(self, make):
        # A source that says "not factual" of every speculative and opinion sentence, beside some that are certain.
        evidence = one_hot(NAMES)
        vague = np.random.default_rng(0).random(len(NAMES)) < 0.3
        evidence[vague & (evidence[:, 0] == 0)] = [0, 1, 1]
        predicted = make().fit(TEXTS, evidence).predict_proba(TEXTS).argmax(axis=1)
        assert np.mean([LABELS[index] == name for index, name in zip(predicted, NAMES, strict=True)]) > 0.95

    def test_a_row_of_weight_zero_teaches_nothing(self, make):
        wrong = one_hot(["opinion"] * 15)
        texts, evidence = TEXTS + TEXTS[:15], np.concatenate([one_hot(NAMES), wrong])
        weights = np.r_[np.ones(len(TEXTS)), np.zeros(15)]
        predicted = make().fit(texts, evidence, weights=weights).predict_proba(TEXTS[:5]).argmax(axis=1)
        assert predicted.tolist() == [0] * 5

    def test_validation_is_taken_and_metrics_are_reported(self, make):
        seen = []
        validation = Examples(TEXTS[:15], one_hot(NAMES[:15]))
        evidence = one_hot(NAMES)
        evidence[0] = [1, 1, 0]

        def note(step, metrics):
            seen.append((step, metrics))

        make().fit(TEXTS, evidence, validation=validation, on_metrics=note)
        assert seen
        assert all(isinstance(value, float) for _, metrics in seen for value in metrics.values())

    @pytest.mark.parametrize(
        ("texts", "evidence", "sentence"),
        [
            ([], np.zeros((0, 3)), "found no training sentence"),
            (["a", "b"], np.ones((1, 3)), r"found evidence of shape \(1, 3\) for 2 texts, expected \(2, 3\)"),
            (["a", "b"], np.array([[1, 0, 0], [0, 0, 0]]), "found a row whose evidence rules out every class"),
        ],
    )
    def test_unfit_examples_are_refused(self, make, texts, evidence, sentence):
        with pytest.raises(ClaimkindError, match=sentence):
            make().fit(texts, evidence)

    def test_an_unfitted_model_says_so(self, make, tmp_path):
        with pytest.raises(ClaimkindError, match="the model has not been fitted"):
            make().predict_proba(["a"])
        with pytest.raises(ClaimkindError, match="the model has not been fitted"):
            models.save(make(), tmp_path / "model")


class TestSavedModel:
    @pytest.fixture
    def folder(self, fitted, tmp_path):
        models.save(fitted, tmp_path / "model")
        return tmp_path / "model"

    def test_every_file_is_covered_by_a_digest(self, folder):
        named = set(json.loads((folder / "manifest.json").read_text())["files"])
        assert named == {path.name for path in folder.iterdir()} - {"manifest.json"}

    def test_a_damaged_file_is_refused(self, folder):
        for path in sorted(folder.iterdir()):
            if path.name == "manifest.json":
                continue
            whole = path.read_bytes()
            path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
            with pytest.raises(ClaimkindError, match=f"{path.name} is damaged, its sha256 is not the one"):
                models.load(folder)
            path.write_bytes(whole)

    def test_a_missing_file_is_named(self, folder):
        lost = next(path for path in sorted(folder.iterdir()) if path.name != "manifest.json")
        lost.unlink()
        with pytest.raises(ClaimkindError, match=f"{lost.name} is missing though manifest.json names it"):
            models.load(folder)

    def test_a_folder_that_is_no_model_is_refused(self, tmp_path):
        with pytest.raises(ClaimkindError, match=r"holds no manifest\.json, so it is not a saved model"):
            models.load(tmp_path)

    @pytest.mark.parametrize("family", ["os", "../tfidf", "claimkind.models.tfidf", "base", "encoders", ""])
    def test_a_family_is_a_bare_name_of_ours(self, folder, family):
        manifest = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps({**manifest, "family": family}))
        with pytest.raises(ClaimkindError, match="which this version of claimkind does not have"):
            models.load(folder)

    def test_a_manifest_cannot_point_outside(self, folder):
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["files"]["../secret"] = "0"
        (folder / "manifest.json").write_text(json.dumps(manifest))
        with pytest.raises(ClaimkindError, match="a file outside its folder"):
            models.load(folder)

    def test_labels_in_another_order_are_refused(self, folder):
        manifest = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps({**manifest, "labels": sorted(LABELS)}))
        with pytest.raises(ClaimkindError, match=r"has the labels .* expected .*factual.*speculative.*opinion"):
            models.load(folder)

    def test_a_folder_in_use_is_not_overwritten(self, folder, fitted):
        with pytest.raises(ClaimkindError, match="is not empty, expected a new folder"):
            models.save(fitted, folder)
