"""A saved model is whole, or it is refused with one sentence before anything in it is used."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from claimkind import models
from claimkind.errors import ClaimkindError
from claimkind.labels import one_hot
from claimkind.manifest import MANIFEST, write_manifest
from claimkind.models.hashing import HashingClassifier, HashingSettings
from claimkind.models.sample import SAMPLE
from claimkind.models.tfidf import TfidfClassifier, TfidfSettings
from claimkind.models.transformer import TransformerClassifier, TransformerSettings
from claimkind.models.transformer.encoders import find_encoder, load_pretrained
from tests.conftest import TEMPLATES

# How many damaged folders are made; INPUTS=10000 pytest -m slow tests/faults/test_models.py takes some minutes.
INPUTS, SEED = int(os.environ.get("INPUTS", "100")), int(os.environ.get("SEED", "0"))
TEXTS = [template.format(place) for place in ("Arden", "Brack") for kind in TEMPLATES for template in TEMPLATES[kind]]
KINDS = [kind for _ in range(2) for kind in TEMPLATES for _ in TEMPLATES[kind]]
DEEP = "[" * 100_000


@pytest.fixture(scope="module")
def saved(tmp_path_factory, tiny_encoder):
    """By family the folder of a saved model."""
    classifiers = {
        "tfidf": TfidfClassifier(TfidfSettings(min_df=1)),
        "hashing": HashingClassifier(HashingSettings(bits=8)),
        "transformer": TransformerClassifier(TransformerSettings(str(tiny_encoder), epochs=1, precision="fp32")),
    }
    place = tmp_path_factory.mktemp("models")
    for family, classifier in classifiers.items():
        models.save(classifier.fit(TEXTS, one_hot(KINDS)), place / family)
    return place


@pytest.fixture
def folder(request, saved, tmp_path):
    """A copy of the saved model of the family that the test names."""
    shutil.copytree(saved / request.param, tmp_path / "model")
    return tmp_path / "model"


def of(*families):
    return pytest.mark.parametrize("folder", families, indirect=True)


def edit(path, **changes):
    """Change entries of a JSON file; None removes one."""
    content = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))


def sign(folder):
    """Write the digests of the files that are there now, as who made the folder could have done."""
    write_manifest(folder, json.loads((folder / MANIFEST).read_text()))


def refusal(folder):
    """The sentence with which a folder is refused."""
    with pytest.raises(ClaimkindError) as caught:
        models.load(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def change_weights(folder, change):
    """Change the dictionary of weights in place."""
    (path,) = folder.glob("*.safetensors")
    weights = load_file(path)
    change(weights)
    save_file(weights, path, metadata={"format": "pt"})
    sign(folder)


@of("tfidf", "hashing", "transformer")
def test_a_manifest_that_does_not_list_a_file_is_refused(folder):
    content = json.loads((folder / MANIFEST).read_text())
    for name in content["files"]:
        rest = {other: digest for other, digest in content["files"].items() if other != name}
        (folder / MANIFEST).write_text(json.dumps({**content, "files": rest}))
        assert f"does not list {name}, which the model is loaded from" in refusal(folder)
    (folder / MANIFEST).write_text(json.dumps({**content, "files": {}}))
    assert "does not list" in refusal(folder)


@of("transformer")
def test_a_file_that_is_not_listed_is_not_read(folder):
    expected = models.load(folder).predict_proba(TEXTS)
    (folder / "added_tokens.json").write_text('{"rain": 3, "council": 3}')
    (folder / "special_tokens_map.json").write_text('{"unk_token": "rain"}')
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "a/b"}')
    (folder / "model.safetensors.index.json").write_text("{}")
    np.testing.assert_array_equal(models.load(folder).predict_proba(TEXTS), expected)


NAMES = ["\0", "\ud800", "a" * 300, "../secret", "/etc/passwd", "loop", "."]


@of("tfidf")
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_in_the_manifest_that_no_file_of_the_folder_has_is_refused(name, folder):
    (folder / "loop").symlink_to("loop")
    content = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**content, "files": {**content["files"], name: "0"}}))
    refusal(folder).encode()


@of("tfidf")
@pytest.mark.parametrize(
    "content", [DEEP, "[]", "{}", '{"files": []}', '{"files": {}}', "", "\xff", "null", "1" * 5000]
)
def test_a_manifest_that_is_none_is_refused(content, folder):
    (folder / MANIFEST).write_text(content, encoding="latin-1")
    refusal(folder)


@of("tfidf", "hashing", "transformer")
@pytest.mark.parametrize(
    "sample", [None, {}, [], {"texts": [], "probabilities": []}, {"texts": [1], "probabilities": [0]}]
)
def test_a_model_without_stored_predictions_is_refused(sample, folder):
    edit(folder / MANIFEST, **{SAMPLE: sample})
    assert "has no stored predictions to compare with" in refusal(folder)


@of("tfidf", "hashing", "transformer")
def test_a_model_that_predicts_otherwise_than_when_it_was_saved_is_refused(folder):
    stored = json.loads((folder / MANIFEST).read_text())[SAMPLE]
    edit(folder / MANIFEST, **{SAMPLE: {**stored, "probabilities": [[0, 0, 1]] * len(stored["texts"])}})
    assert "gives other probabilities than when it was saved" in refusal(folder)


@of("tfidf", "hashing", "transformer")
def test_a_model_of_the_format_without_stored_predictions_still_loads(folder):
    expected = models.load(folder).predict_proba(TEXTS)
    edit(folder / MANIFEST, format=2, **{SAMPLE: None})
    np.testing.assert_array_equal(models.load(folder).predict_proba(TEXTS), expected)


@of("tfidf", "hashing", "transformer")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(value, folder):
    def spoil(weights):
        name = max(weights, key=lambda name: weights[name].size)
        weights[name] = weights[name].copy()
        weights[name].flat[-1] = value

    change_weights(folder, spoil)
    assert "not finite" in refusal(folder)


@of("tfidf", "hashing", "transformer")
def test_weights_that_are_missing_are_refused(folder):
    (path,) = folder.glob("*.safetensors")
    for name in load_file(path):
        whole = path.read_bytes()
        change_weights(folder, lambda weights, name=name: weights.pop(name))
        refusal(folder)
        path.write_bytes(whole)


@of("tfidf", "hashing", "transformer")
def test_weights_of_another_shape_are_refused(folder):
    (path,) = folder.glob("*.safetensors")
    for name in load_file(path):
        whole = path.read_bytes()
        change_weights(folder, lambda weights, name=name: weights.update({name: weights[name][:-1].copy()}))
        refusal(folder)
        path.write_bytes(whole)


@of("transformer")
def test_weights_that_the_configuration_does_not_have_are_refused(folder):
    layer = "bert.encoder.layer.0.output.dense.weight"
    change_weights(folder, lambda weights: weights.update({layer.replace("0", "1"): weights[layer]}))
    assert "which its configuration lacks" in refusal(folder)


@of("tfidf")
def test_classes_that_are_none_are_refused(folder):
    change_weights(folder, lambda weights: weights.update(classes_=np.array([0, 1, 7])))
    assert "its classes are [0, 1, 7]" in refusal(folder)


@of("tfidf")
@pytest.mark.parametrize("changed", [{"ranges": {"words": [1, 100_000]}}, {"views": {}}, {"views": []}, {"cues": 3}])
def test_n_grams_that_do_not_fit_the_settings_are_refused(changed, folder):
    edit(folder / "ngrams.json", **changed)
    sign(folder)
    assert "does not load" in refusal(folder)


@of("tfidf", "hashing", "transformer")
@pytest.mark.parametrize("length", [0, 4, 100, -1])
def test_truncated_weights_are_refused(length, folder):
    (path,) = folder.glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:length])
    sign(folder)
    refusal(folder)


@of("transformer")
@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"auto_map": {"AutoModelForSequenceClassification": "code.Model"}}, "has auto_map, which needs code"),
        ({"quantization_config": {"quant_method": "fp8"}}, "has quantization_config, which needs code"),
        ({"_attn_implementation": "someone/kernel"}, "_attn_implementation='someone/kernel', expected eager or sdpa"),
        ({"attn_implementation": "flash_attention_2"}, "attn_implementation='flash_attention_2', expected eager"),
        ({"model_type": "t5"}, "is of an encoder with a decoder"),
        ({"model_type": "made_up"}, "which transformers cannot classify with"),
        ({"model_type": ["bert"]}, "which transformers cannot classify with"),
        ({"num_hidden_layers": 100_000}, "says 100000 layers, but the weights are of 1"),
        ({"vocab_size": 1 << 40}, "parameters, but the weights hold"),
        ({"max_position_embeddings": 1 << 30}, "parameters, but the weights hold"),
        ({"num_hidden_layers": -1}, ""),
        ({"hidden_size": 1 << 62}, ""),
        ({"hidden_size": "32"}, ""),
        ({"hidden_size": 64}, "or has them in another shape"),
        ({"hidden_act": "made_up"}, "no encoder that transformers can load"),
        ({"num_attention_heads": 5}, ""),
        ({"num_attention_heads": 0}, ""),
        ({"model_type": "distilbert"}, ""),
        ({"model_type": "roberta"}, ""),
        ({"vocab_size": 7}, ""),
    ],
    ids=str,
)
def test_a_configuration_that_cannot_be_is_refused(changed, sentence, folder):
    edit(folder / "config.json", **changed)
    sign(folder)
    assert sentence in refusal(folder)


@of("transformer")
def test_settings_that_transformers_does_not_know_are_not_passed_on(folder):
    edit(folder / "config.json", _commit_hash="x", custom={"a": 1}, per_layer_config={"0": {"hidden_size": 1}})
    sign(folder)
    config = models.load(folder).model_.config.to_dict()
    assert not {"custom", "_commit_hash", "per_layer_config"} & set(config)


@of("transformer")
def test_a_tokenizer_that_names_code_is_refused(folder):
    edit(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["code.Tokenizer", None]})
    sign(folder)
    assert "tokenizer_config.json has auto_map, which needs code from elsewhere" in refusal(folder)


@of("transformer")
def test_a_tokenizer_with_more_words_than_embeddings_is_refused(folder):
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    edit(folder / "tokenizer.json", added_tokens=[{"id": 5000, "content": "extra", **flags}])
    sign(folder)
    refusal(folder)


@of("tfidf", "hashing", "transformer")
@pytest.mark.parametrize("content", [DEEP, "", "[]", "null", "\xff", "1", '{"a": ' * 50_000])
def test_any_json_file_that_holds_something_else_is_refused(content, folder):
    for path in sorted(folder.glob("*.json")):
        if path.name != MANIFEST:
            whole = path.read_bytes()
            path.write_text(content, encoding="latin-1")
            sign(folder)
            refusal(folder)
            path.write_bytes(whole)


@of("tfidf", "hashing", "transformer")
def test_settings_of_another_type_are_refused(folder):
    for name, value in json.loads((folder / "settings.json").read_text()).items():
        whole = (folder / "settings.json").read_bytes()
        edit(folder / "settings.json", **{name: [value]})
        sign(folder)
        assert "settings.json is missing or damaged" in refusal(folder)
        (folder / "settings.json").write_bytes(whole)


def test_a_model_that_predicts_no_numbers_is_not_saved(tmp_path):
    fitted = HashingClassifier(HashingSettings(bits=8)).fit(TEXTS, one_hot(KINDS))
    fitted.table_[:] = np.nan
    with pytest.raises(ClaimkindError, match="its training diverged"):
        models.save(fitted, tmp_path / "model")
    assert not (tmp_path / "model").exists()


class TestEncoder:
    """An encoder to train from: a folder without a manifest, or a saved model."""

    @pytest.fixture
    def encoder(self, tiny_encoder, tmp_path):
        shutil.copytree(tiny_encoder, tmp_path / "encoder")
        return tmp_path / "encoder"

    @pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
    def test_code_is_never_run(self, file, encoder, monkeypatch):
        (encoder / "code.py").write_text("raise SystemExit('this code was run')")
        names = ("AutoConfig", "AutoModelForSequenceClassification", "AutoTokenizer")
        edit(encoder / file, auto_map=dict.fromkeys(names, "code.Anything"))
        monkeypatch.setattr("builtins.input", lambda *_: "y")
        with pytest.raises(ClaimkindError, match="has auto_map, which needs code from elsewhere"):
            load_pretrained(encoder, new_head=True)

    def test_weights_of_the_encoder_itself_that_are_missing_are_refused(self, encoder):
        weights = load_file(encoder / "model.safetensors")
        for name in ("bert.encoder.layer.0.output.dense.weight", "bert.embeddings.LayerNorm.bias"):
            rest = {other: values for other, values in weights.items() if other != name}
            save_file(rest, encoder / "model.safetensors", metadata={"format": "pt"})
            with pytest.raises(ClaimkindError, match=f"lacks the weights {name}"):
                load_pretrained(encoder, new_head=True)

    def test_a_head_that_is_missing_is_new(self, encoder):
        weights = load_file(encoder / "model.safetensors")
        rest = {name: values for name, values in weights.items() if name.startswith("bert.")}
        save_file(rest, encoder / "model.safetensors", metadata={"format": "pt"})
        assert load_pretrained(encoder, new_head=True).model.config.num_labels == 3

    def test_an_encoder_without_a_tokenizer_is_refused(self, encoder):
        for path in (*encoder.glob("tokenizer.json"), *encoder.glob("vocab.txt")):
            path.unlink()
        with pytest.raises(ClaimkindError, match=r"has no tokenizer\.json, expected the encoder's tokenizer"):
            load_pretrained(encoder, new_head=True)

    def test_a_saved_model_is_checked_before_it_is_trained_further(self, saved, tmp_path):
        shutil.copytree(saved / "transformer", tmp_path / "model")
        weights = (tmp_path / "model" / "model.safetensors").read_bytes()
        (tmp_path / "model" / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
        with pytest.raises(ClaimkindError, match=r"model\.safetensors is damaged, its sha256"):
            find_encoder(str(tmp_path / "model"))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["tfidf", "hashing", "transformer"])
def test_any_change_to_the_bytes_of_a_file_is_refused_or_harmless(family, saved, tmp_path):
    """Digests are written anew, as by who made the folder: nothing but one sentence is raised, and no model predicts
    anything that is not finite."""
    shutil.copytree(saved / family, tmp_path / "model")
    names = sorted(path.name for path in (tmp_path / "model").iterdir())

    @seed(SEED)
    @settings(max_examples=INPUTS, deadline=None, database=None)
    @given(st.sampled_from(names), st.data())
    def check(name: str, data: st.DataObject) -> None:
        path: Path = tmp_path / "model" / name
        whole = path.read_bytes()
        try:
            path.write_bytes(data.draw(damaged(whole)))
            if name != MANIFEST:
                sign(tmp_path / "model")
            try:
                probabilities = models.load(tmp_path / "model").predict_proba(TEXTS)
            except ClaimkindError as error:
                assert "\n" not in str(error)
            else:
                assert np.isfinite(probabilities).all()
        finally:
            path.write_bytes(whole)
            sign(tmp_path / "model")

    check()


@st.composite
def damaged(draw, whole):
    """The bytes of a file with up to three of them changed, or cut off."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(0, 3))):
        # Half of the changes are in the first bytes, where the sizes and names are.
        end = draw(st.sampled_from([min(200, len(content)), len(content)]))
        content[draw(st.integers(0, end - 1))] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.sampled_from([len(content), draw(st.integers(0, len(content)))]))])
