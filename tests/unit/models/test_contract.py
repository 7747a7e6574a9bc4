"""What every model family must keep to. The families are those of the files in `configs/model/`."""

import ast
import inspect
import itertools
import json
import os
import subprocess
import sys
import textwrap
from dataclasses import MISSING, fields
from importlib import metadata

import numpy as np
import pytest
import yaml
from hydra.utils import get_class
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from claimkind import models
from claimkind.config import build, signature_schema
from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS, one_hot
from claimkind.manifest import write_manifest
from claimkind.models.base import Examples
from claimkind.models.calibration import CalibratedClassifier
from claimkind.models.settings import SETTINGS
from tests.conftest import PLACES, ROOT, TEMPLATES

TEXTS = [template.format(place) for place in PLACES[:6] for kind in LABELS for template in TEMPLATES[kind]]
NAMES = [kind for _ in PLACES[:6] for kind in LABELS for _ in TEMPLATES[kind]]
FILES = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((ROOT / "configs" / "model").glob("*.yaml"))}
FAMILIES = sorted({settings["_target_"] for settings in FILES.values()})
# What makes a small model that learns ninety sentences by heart, wherever a family has a setting of this name.
SMALL = {"min_df": 1, "bits": 16, "C": 100, "epochs": 15, "batch_size": 16, "learning_rate": 3e-3, "precision": "fp32"}


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda target: target.split(".")[2])
def make(request, tiny_encoder):
    names = {entry.name for entry in fields(signature_schema(get_class(request.param)))}
    small = {name: value for name, value in {**SMALL, "encoder": str(tiny_encoder)}.items() if name in names}
    return lambda seed=0: build({"_target_": request.param, "seed": seed, **small}, "model", "claimkind.models")


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

    def test_a_text_gets_the_same_probabilities_whatever_the_other_texts_are(self, fitted):
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

    def test_a_saved_model_keeps_the_settings_of_its_training(self, make, tmp_path):
        fitted = make(seed=7).fit(TEXTS, one_hot(NAMES))
        models.save(CalibratedClassifier(fitted, 2.0), tmp_path / "model")
        assert models.load(tmp_path / "model").settings == fitted.settings
        assert fitted.settings.seed == 7

    def test_the_declared_attributes_are_those_of_the_calibrated_model_too(self, fitted):
        calibrated = CalibratedClassifier(fitted, abstain_below=0.5)
        assert fitted.abstain_below == 0 < calibrated.abstain_below
        assert fitted.evidence_weight >= 0
        assert isinstance(fitted.single_threaded, bool)
        assert fitted.compute_dtype.split(", ")[0] in ("fp64", "fp32", "bf16")
        for name in ("settings", "single_threaded", "compute_dtype", "requirements"):
            assert getattr(calibrated, name) == getattr(fitted, name)

    @pytest.mark.slow
    def test_prediction_needs_no_package_that_only_training_needs(self, fitted, tmp_path):
        models.save(fitted, tmp_path / "model")
        absent = {"accelerate", "datasets", "hydra", "matplotlib", "omegaconf", "transformers"} - {*fitted.requirements}
        program = f"""
            import sys
            sys.modules.update(dict.fromkeys({sorted(absent)}))  # an import of one of them fails
            from claimkind import models
            print(models.load({str(tmp_path / "model")!r}).predict_proba(["Rain."]).shape)
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False
        )
        assert done.stdout == "(1, 3)\n", done.stderr

    def test_the_packages_that_a_model_requires_are_installed(self, fitted):
        assert all(metadata.version(name) for name in fitted.requirements)

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
        # A third of the speculative and opinion sentences are only known not to be factual.
        evidence = one_hot(NAMES)
        soft = np.random.default_rng(0).random(len(NAMES)) < 0.3
        evidence[soft & (evidence[:, 0] == 0)] = [0, 1, 1]
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
            (["a", "b"], np.array([[1, 0, 0], [1, -0.5, 0.5]]), "found a row whose evidence rules out every class"),
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

    @pytest.mark.parametrize("family", ["transformer.classifier", "tfidf.os", "..os", "claimkind.models.tfidf"])
    def test_a_dotted_path_is_never_imported(self, folder, family, monkeypatch):
        manifest = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps({**manifest, "family": family}))
        imported = []
        monkeypatch.setattr("claimkind.models.saving.importlib.import_module", imported.append)
        with pytest.raises(ClaimkindError, match="which this version of claimkind does not have"):
            models.load(folder)
        assert imported == []

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

    @pytest.mark.parametrize("found", [None, 1, 99])
    def test_a_model_of_another_format_is_refused(self, folder, found):
        manifest = {**json.loads((folder / "manifest.json").read_text()), "format": found}
        if found is None:
            del manifest["format"]
        (folder / "manifest.json").write_text(json.dumps(manifest))
        with pytest.raises(
            ClaimkindError, match=rf"in format {found or 1}, expected format \d+: train the model again"
        ):
            models.load(folder)

    @pytest.mark.parametrize("content", ["{", "[]", '{"unknown": 1}'])
    def test_damaged_settings_are_refused(self, folder, content):
        (folder / SETTINGS).write_text(content)
        write_manifest(folder, json.loads((folder / "manifest.json").read_text()))
        with pytest.raises(
            ClaimkindError, match=r"settings\.json is missing or damaged, expected the model's settings"
        ):
            models.load(folder)

    def test_labels_in_another_order_are_refused(self, folder):
        manifest = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps({**manifest, "labels": sorted(LABELS)}))
        with pytest.raises(ClaimkindError, match=r"has the labels .* expected .*factual.*speculative.*opinion"):
            models.load(folder)

    def test_a_folder_in_use_is_not_overwritten(self, folder, fitted):
        with pytest.raises(ClaimkindError, match="is not empty, expected a new folder"):
            models.save(fitted, folder)


def defaults(target):
    """By name the default of each setting of a class that has one."""
    return {
        entry.name: entry.default
        for entry in fields(signature_schema(get_class(target)))
        if entry.default is not MISSING
    }


def plain(settings):
    return {name: value for name, value in settings.items() if name != "_target_"}


class TestConfiguration:
    @pytest.mark.parametrize("file", FILES)
    def test_a_file_lists_every_setting_of_its_family(self, file):
        settings = FILES[file]
        assert list(plain(settings)) == [
            entry.name for entry in fields(signature_schema(get_class(settings["_target_"])))
        ]

    @pytest.mark.parametrize("target", FAMILIES)
    def test_one_file_of_a_family_gives_the_defaults_of_its_class(self, target):
        expected = {**defaults(target), "seed": "${seed}"}
        files = [plain(settings) for settings in FILES.values() if settings["_target_"] == target]
        assert any({name: settings[name] for name in expected} == expected for settings in files)

    @pytest.mark.parametrize("target", FAMILIES)
    def test_every_setting_is_documented(self, target):
        schema = signature_schema(get_class(target))
        body = ast.parse(inspect.getsource(schema)).body[0].body
        documented = [
            first.target.id
            for first, second in itertools.pairwise(body)
            if isinstance(first, ast.AnnAssign) and isinstance(second, ast.Expr)
        ]
        assert documented == [entry.name for entry in fields(schema)]
