import json
import threading
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch.utils.checkpoint import checkpoint
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, BertTokenizerFast

from claimkind import models
from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS, one_hot
from claimkind.manifest import sha256_file
from claimkind.models.settings import SETTINGS
from claimkind.models.transformer import TransformerClassifier, TransformerSettings, encoders, layers
from claimkind.models.transformer.encoders import Pin, find_encoder, load_pretrained
from claimkind.models.transformer.inference import token_budget_batches
from claimkind.models.transformer.layers import layer_of
from claimkind.models.transformer.loss import marginal_likelihood_loss, rdrop_divergence, training_loss
from claimkind.models.transformer.training import make_optimizer

TEXTS = ["Rain fell.", "Rain might reach Corm soon.", "Rain is sadly dull.", "The mill closed."]
NAMES = ["factual", "speculative", "opinion", "factual"]


class Outputs(NamedTuple):
    logits: torch.Tensor


def classifier_for(encoder, **settings):
    return TransformerClassifier(TransformerSettings(encoder=str(encoder), **{"precision": "fp32", **settings}))


def test_the_loss_is_cross_entropy_where_the_class_is_known():
    logits = torch.tensor([[0.2, 1.0, -0.5], [1.5, 0.1, 0.3]])
    labels = torch.tensor([[0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0]])
    expected = torch.nn.functional.cross_entropy(logits, torch.tensor([1, 2]))
    assert marginal_likelihood_loss(logits, labels).item() == pytest.approx(expected.item())


def test_the_loss_is_the_marginal_likelihood_of_the_evidence():
    logits = torch.tensor([[0.2, 1.0, -0.5]], requires_grad=True)
    p = torch.softmax(logits, -1)[0]
    loss = marginal_likelihood_loss(logits, torch.tensor([[0.64, 0.18, 0.0, 1.0]]))
    assert loss.item() == pytest.approx(-torch.log(0.64 * p[0] + 0.18 * p[1]).item())
    loss.backward()
    assert torch.isfinite(logits.grad).all()


def test_uniform_evidence_gives_no_gradient():
    logits = torch.tensor([[0.2, 1.0, -0.5]], requires_grad=True)
    marginal_likelihood_loss(logits, torch.tensor([[1.0, 1.0, 1.0, 1.0]])).backward()
    np.testing.assert_allclose(logits.grad.numpy(), 0, atol=1e-7)


def test_rdrop_is_the_symmetric_divergence_of_two_predictions():
    one, other = torch.tensor([[1.0, 0.0, -1.0]]), torch.tensor([[0.0, 0.5, 0.0]])
    p, q = torch.softmax(one, -1), torch.softmax(other, -1)
    expected = 0.5 * ((p * (p / q).log()).sum() + (q * (q / p).log()).sum())
    assert rdrop_divergence(torch.cat([one, other])).item() == pytest.approx(expected.item())
    assert rdrop_divergence(torch.cat([one, one])).item() == 0


def test_the_rdrop_loss_is_added_in_training_only():
    logits = torch.tensor([[1.0, 0.0, -1.0], [0.0, 0.5, 0.0]])
    labels = torch.tensor([[1.0, 0.0, 0.0, 1.0]] * 2)
    plain = marginal_likelihood_loss(logits, labels).item()
    trained = training_loss(Outputs(logits), labels, rdrop_alpha=2.0)
    assert trained.item() == pytest.approx(plain + 2 * rdrop_divergence(logits).item())
    assert training_loss(Outputs(logits), labels).item() == pytest.approx(plain)
    with torch.no_grad():
        assert training_loss(Outputs(logits), labels, rdrop_alpha=2.0).item() == pytest.approx(plain)


def test_weights_average_the_rows():
    logits = torch.tensor([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    labels = torch.tensor([[1.0, 0.0, 0.0, 3.0], [1.0, 0.0, 0.0, 1.0]])
    each = torch.nn.functional.cross_entropy(logits, torch.tensor([0, 0]), reduction="none")
    expected = (3 * each[0] + each[1]) / 4
    assert marginal_likelihood_loss(logits, labels).item() == pytest.approx(expected.item())


@pytest.fixture(scope="module")
def fitted(tiny_encoder):
    return classifier_for(tiny_encoder, epochs=1, batch_size=2).fit(TEXTS, one_hot(NAMES))


def test_the_saved_folder_loads_with_plain_transformers(fitted, tmp_path):
    models.save(fitted, tmp_path / "model")
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model", trust_remote_code=False)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model", trust_remote_code=False)
    with torch.inference_mode():
        logits = plain(**tokenizer(TEXTS, padding=True, return_tensors="pt")).logits
    assert plain.config.id2label == dict(enumerate(LABELS))
    np.testing.assert_allclose(torch.softmax(logits, -1).numpy(), fitted.predict_proba(TEXTS), atol=1e-5)


def test_training_resumes_from_a_checkpoint(tiny_encoder, tmp_path):
    # Stopped after one epoch of two and resumed, it reaches the weights of an uninterrupted training.
    def classifier():
        return classifier_for(tiny_encoder, epochs=2, batch_size=2, warmup=0.0)

    whole = classifier().fit(TEXTS, one_hot(NAMES), work_dir=tmp_path / "whole")
    steps = sorted((tmp_path / "whole").glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    (tmp_path / "resumed").mkdir()
    steps[0].rename(tmp_path / "resumed" / steps[0].name)
    seen = []
    resumed = classifier().fit(
        TEXTS, one_hot(NAMES), work_dir=tmp_path / "resumed", on_metrics=lambda step, _: seen.append(step)
    )
    first = json.loads((tmp_path / "resumed" / steps[0].name / "trainer_state.json").read_text())["global_step"]
    assert min(seen) > first
    np.testing.assert_allclose(resumed.predict_proba(TEXTS), whole.predict_proba(TEXTS), atol=1e-6)


def test_an_incomplete_checkpoint_is_skipped(tiny_encoder, tmp_path):
    def fit(folder, epochs):
        seen = []
        classifier_for(tiny_encoder, epochs=epochs, batch_size=2).fit(
            TEXTS, one_hot(NAMES), work_dir=folder, on_metrics=lambda step, _: seen.append(step)
        )
        return seen

    fit(tmp_path, 2)
    newest = max(tmp_path.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    (newest / "trainer_state.json").write_text('{"global_st')
    older = min(int(path.name.split("-")[1]) for path in tmp_path.glob("checkpoint-*"))
    assert min(fit(tmp_path, 3)) > older, "it started over"
    (tmp_path / "checkpoint-900").mkdir()
    (tmp_path / "checkpoint-900" / "model.safetensors").write_text("whoever wrote this, it is kept")
    assert min(fit(tmp_path, 4)) > older, "it started over"
    assert (tmp_path / "checkpoint-900" / "model.safetensors").exists()


def test_rows_of_weight_zero_do_not_make_a_batch_without_a_loss(tiny_encoder):
    fitted = classifier_for(tiny_encoder, epochs=2, batch_size=1).fit(
        TEXTS, one_hot(NAMES), weights=np.array([1, 1, 1, 0])
    )
    assert np.isfinite(fitted.predict_proba(TEXTS)).all()


def test_an_encoder_that_does_not_exist_is_named():
    with pytest.raises(ClaimkindError, match=r"'no/such-encoder' is no local folder and could not be fetched"):
        find_encoder("no/such-encoder")


def test_an_encoder_without_safetensors_is_refused(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ClaimkindError, match=r"has no \*\.safetensors .* no pickle is ever read"):
        find_encoder(str(tmp_path))


def test_the_digest_of_an_encoder_is_checked(tiny_encoder):
    with pytest.raises(ClaimkindError, match=r"has another sha256 than model\.sha256"):
        find_encoder(str(tiny_encoder), sha256="0" * 64)


def test_a_digest_of_weights_in_several_files_is_refused(tmp_path):
    (tmp_path / "model-00001-of-00002.safetensors").write_bytes(b"")
    with pytest.raises(ClaimkindError, match=r"holds its weights in several files, and model\.sha256 is that of model"):
        find_encoder(str(tmp_path), sha256="0" * 64)


@pytest.fixture
def hub(monkeypatch, tiny_encoder):
    """A hub that has every encoder: the revisions that were downloaded, by name."""
    revisions = {}

    def snapshot_download(name, *, revision, **_):
        revisions[name] = revision
        return str(tiny_encoder)

    weights = sha256_file(tiny_encoder / "model.safetensors")
    monkeypatch.setattr(encoders, "snapshot_download", snapshot_download)
    monkeypatch.setattr(encoders, "PINNED", {"a/pinned": Pin("c0ffee", weights), "a/changed": Pin("c0ffee", "0" * 64)})
    return revisions


def test_a_pinned_encoder_is_fetched_at_its_revision_and_checked(hub):
    find_encoder("a/pinned")
    assert hub == {"a/pinned": "c0ffee"}
    with pytest.raises(ClaimkindError, match=r"has another sha256 than model\.sha256"):
        find_encoder("a/changed")


def test_another_encoder_or_revision_or_a_local_folder_has_no_pin(hub, tiny_encoder):
    find_encoder("another/encoder")
    find_encoder("a/changed", revision="f00d")
    find_encoder(str(tiny_encoder))
    assert hub == {"another/encoder": None, "a/changed": "f00d"}


def test_a_pinned_encoder_comes_from_its_package_where_that_is_installed(hub, monkeypatch, tmp_path, tiny_encoder):
    (tmp_path / "an_encoder.py").write_text(f"def get_model_path():\n    return {str(tiny_encoder)!r}\n")
    monkeypatch.syspath_prepend(tmp_path)
    weights = sha256_file(tiny_encoder / "model.safetensors")
    monkeypatch.setattr(encoders, "PINNED", {"a/packaged": Pin("c0ffee", weights, "an_encoder")})
    assert find_encoder("a/packaged") == tiny_encoder
    assert hub == {}
    find_encoder("a/packaged", revision="f00d")
    assert hub == {"a/packaged": "f00d"}


def test_lower_layers_learn_more_slowly_and_the_head_faster(tiny_encoder):
    settings = TransformerSettings(str(tiny_encoder), layer_decay=0.5, head_lr_multiplier=4.0, weight_decay=0.1)
    model = load_pretrained(tiny_encoder, new_head=True).model
    groups = {id(p): group for group in make_optimizer(model, 1e-3, settings).param_groups for p in group["params"]}
    named = {name: groups[id(parameter)] for name, parameter in model.named_parameters()}
    rates = {
        "bert.embeddings.word_embeddings.weight": 2.5e-4,
        "bert.encoder.layer.0.attention.self.query.weight": 5e-4,
        "bert.pooler.dense.weight": 1e-3,
        "classifier.weight": 4e-3,
    }
    assert {name: named[name]["lr"] for name in rates} == pytest.approx(rates)
    assert named["classifier.bias"]["weight_decay"] == 0
    assert named["classifier.weight"]["weight_decay"] == 0.1


@pytest.fixture(params=["modernbert", "deberta-v2"])
def other_architecture(request, tiny_encoder, tmp_path):
    """A tiny encoder with random weights, of each other architecture of `configs/model/`."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder, trust_remote_code=False)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    marks = {"pad_token_id": 0, "bos_token_id": 2, "cls_token_id": 2, "eos_token_id": 3, "sep_token_id": 3}
    config = AutoConfig.for_model(
        request.param, vocab_size=len(tokenizer), max_position_embeddings=64, initializer_range=0.2, **sizes, **marks
    )
    AutoModelForSequenceClassification.from_config(config, trust_remote_code=False).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_other_architectures_train_and_load_again(precision, other_architecture, tmp_path):
    settings = {"epochs": 30, "batch_size": 4, "learning_rate": 3e-3, "precision": precision}
    fitted = classifier_for(other_architecture, **settings).fit(TEXTS * 4, one_hot(NAMES * 4))
    assert [LABELS[index] for index in fitted.predict_proba(TEXTS).argmax(axis=1)] == NAMES
    assert fitted.features(TEXTS).shape == (4, 3 * 32)
    models.save(fitted, tmp_path / "model")
    again = models.load(tmp_path / "model").predict_proba(TEXTS)
    np.testing.assert_allclose(again, fitted.predict_proba(TEXTS), atol=1e-6)


@pytest.mark.network
@pytest.mark.parametrize("encoder", ["answerdotai/ModernBERT-base", "cross-encoder/nli-deberta-v3-small"])
def test_the_encoders_of_our_configs_are_on_the_hub_as_safetensors(encoder, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert list(find_encoder(encoder).glob("*.safetensors"))


def test_rows_without_a_hard_label_come_first_at_half_the_rate(tiny_encoder):
    texts, evidence = TEXTS * 4, np.concatenate([one_hot(NAMES * 2), np.full((8, 3), [0.7, 0.2, 0.1])])
    seen = []

    def note(step, metrics):
        if "learning_rate" in metrics:
            seen.append((step, metrics["learning_rate"]))

    settings = {"epochs": 20, "batch_size": 4, "learning_rate": 1e-2, "warmup": 0.0}
    classifier = classifier_for(tiny_encoder, evidence_epochs=10, **settings)
    classifier.fit(texts, evidence, on_metrics=note)
    # Twenty steps over the soft rows at up to 0.005 (times 5 for the head), then forty at up to 0.01.
    steps, rates = np.array(seen).T
    rates = rates / max(rates)
    assert steps.tolist() == list(range(2, 62, 2))  # the end of each epoch
    soft, hard = rates[steps <= 20], rates[steps > 20]
    assert soft.max() < 0.6
    assert soft[-1] < soft[0] < hard[0]
    # The rows with a hard label decide.
    predicted = classifier.predict_proba(TEXTS).argmax(axis=1)
    assert [LABELS[index] for index in predicted] == NAMES


def test_a_long_text_is_read_in_windows_and_a_short_one_with_it_is_not(fitted):
    long = " ".join(["Rain might reach Corm soon."] * 40)
    assert fitted.windows(["Rain fell.", long, "x" * 100]).tolist() == [1, 5, 1]
    # Letters that a tokenizer takes apart: more tokens than characters.
    apart = "".join(chr(0xAC00 + 37 * index) for index in range(240))
    assert fitted.windows([apart]) == np.bincount(fitted._tokenizer().split([apart]).owners)
    alone, together = fitted.predict_proba([long]), fitted.predict_proba(["Rain fell.", long, "Sun."])
    np.testing.assert_allclose(together[1], alone[0], atol=1e-6)
    # What stands behind the first window counts too.
    assert np.abs(fitted.predict_proba([long + " The mill is sadly dull." * 40]) - alone).max() > 1e-3
    np.testing.assert_allclose(together.sum(axis=1), 1)
    features = fitted.features(["Rain fell.", long, "Sun."])
    assert features.shape[0] == 3
    np.testing.assert_allclose(features[0], fitted.features(["Rain fell."])[0], atol=1e-6)  # padding does not count


class LongIsOpinion:
    """A backend that sees the length of a window alone."""

    feature_size = 1
    compute_dtype = "int8, imagined"
    tokens_per_batch = 64
    concurrent_batches = 1

    def logits(self, batch):
        tokens = batch["attention_mask"].sum(axis=1)
        return np.stack([0 * tokens, 0 * tokens, tokens - 10], axis=1).astype(np.float32)

    def features(self, batch):
        return batch["attention_mask"].sum(axis=1, keepdims=True).astype(float)


def test_another_backend_can_compute_the_predictions(tiny_encoder):
    classifier = classifier_for(tiny_encoder, epochs=1).fit(TEXTS, one_hot(NAMES))
    classifier.backend_ = LongIsOpinion()
    assert classifier.compute_dtype == "int8, imagined"
    assert (classifier.predict_proba(["Rain fell.", "Rain " * 30])[:, 2] > 0.5).tolist() == [False, True]
    assert classifier.features(["Rain fell."]).tolist() == [[5]]


class TwoAtATime(LongIsOpinion):
    """The first batch waits until another one is computed at the same time."""

    concurrent_batches = 2

    def __init__(self):
        self.first, self.another = threading.Lock(), threading.Event()

    def logits(self, batch):
        if self.first.acquire(blocking=False):
            assert self.another.wait(timeout=20), "no other batch is computed meanwhile"
        else:
            self.another.set()
        return super().logits(batch)


def test_batches_are_computed_at_the_same_time_where_the_backend_is_faster_so(tiny_encoder):
    classifier = classifier_for(tiny_encoder, epochs=1).fit(TEXTS, one_hot(NAMES))
    classifier.backend_ = LongIsOpinion()
    texts = ["Rain fell.", "Rain " * 40, "Rain " * 20, "Rain " * 30]
    expected = classifier.predict_proba(texts)
    classifier.backend_ = TwoAtATime()
    np.testing.assert_allclose(classifier.predict_proba(texts), expected)


def test_batches_keep_to_the_token_budget_and_hold_every_row_once():
    lengths = np.array([3, 50, 4, 4, 9, 100, 5])
    batches = list(token_budget_batches(lengths, budget=20))
    assert sorted(row for batch in batches for row in batch) == list(range(7))
    assert [lengths[batch].tolist() for batch in batches] == [[100], [50], [9, 5], [4, 4, 3]]


def test_bf16_prediction_is_near_to_fp32(tiny_encoder, fitted, tmp_path):
    models.save(fitted, tmp_path / "model")
    settings = json.loads((tmp_path / "model" / SETTINGS).read_text())
    (tmp_path / "model" / SETTINGS).write_text(json.dumps({**settings, "precision": "bf16"}))
    rounded = TransformerClassifier.load(tmp_path / "model")
    difference = np.abs(rounded.predict_proba(TEXTS) - fitted.predict_proba(TEXTS))
    assert 0 < difference.max() < 0.03


@pytest.mark.parametrize(("weight", "rate"), [(1.0, 1e-3), (0.1, 1e-4)])
def test_evidence_of_lower_weight_is_trained_on_at_a_lower_rate(weight, rate, tiny_encoder):
    rates = []
    evidence = np.concatenate([one_hot(NAMES), np.full((20, 3), 0.2)])
    settings = {"learning_rate": 2e-3, "batch_size": 2, "epochs": 1, "evidence_epochs": 1, "warmup": 0.0}
    classifier_for(tiny_encoder, layer_decay=1.0, head_lr_multiplier=1.0, **settings).fit(
        TEXTS + ["Rain fell."] * 20,
        evidence,
        weights=np.r_[np.ones(len(TEXTS)), np.full(20, weight)],
        on_metrics=lambda _, metrics: rates.append(metrics.get("learning_rate")),
    )
    assert rates[0] == pytest.approx(rate, rel=0.95), "the rate of the first stage does not depend on the weight"
    assert rates[0] <= rate


def deep_encoder(folder, kind, **settings):
    """An encoder of six layers with random weights, and a tokenizer of a few words."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "rain", "fell", "sun"]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=32).save_pretrained(folder)
    sizes = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32, "num_hidden_layers": 6}
    config = AutoConfig.for_model(
        kind, vocab_size=len(words), max_position_embeddings=34, pad_token_id=0, **sizes, **settings
    )
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(config, trust_remote_code=False)
    model.save_pretrained(folder)
    return model


@pytest.mark.parametrize("kind", ["bert", "mpnet", "modernbert", "deberta-v2"])
def test_a_student_keeps_some_layers_of_an_encoder(tmp_path, kind):
    whole = deep_encoder(tmp_path, kind)
    student = classifier_for(tmp_path, keep_layers=[0, 2, 4], learning_rate=0.0, epochs=1).fit(TEXTS, one_hot(NAMES))
    models.save(student, tmp_path / "saved")
    loaded = models.load(tmp_path / "saved")
    np.testing.assert_allclose(loaded.predict_proba(TEXTS), student.predict_proba(TEXTS), atol=1e-6)
    weights = {name: tensor for name, tensor in whole.named_parameters() if layer_of(name)}
    kept = {name: tensor for name, tensor in student.model_.named_parameters() if layer_of(name)}
    assert {layer_of(name) for name in kept} == {1, 2, 3}
    for name, tensor in kept.items():
        number = layer_of(name) - 1
        torch.testing.assert_close(tensor, weights[name.replace(f".{number}.", f".{2 * number}.", 1)])


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        ([], "model.keep_layers is .*, expected layers in ascending order"),
        ([2, 0], "model.keep_layers is .*, expected layers in ascending order"),
        ([-1, 0], "model.keep_layers is .*, expected layers in ascending order"),
        ([0, 6], "model.keep_layers names layer 6, expected 0 to 0, the encoder's layers"),
    ],
)
def test_layers_that_an_encoder_does_not_have_are_refused(tiny_encoder, layers, sentence):
    with pytest.raises(ClaimkindError, match=sentence):
        classifier_for(tiny_encoder, keep_layers=layers).fit(TEXTS, one_hot(NAMES))


def test_an_encoder_whose_layers_are_not_found_is_refused():
    model = torch.nn.Module()
    model.config = SimpleNamespace(num_hidden_layers=2)
    with pytest.raises(ClaimkindError, match=r"Module has 0 lists of 2 layers, expected one: leave model\.keep_layers"):
        layers.keep_layers(model, [0])


@pytest.mark.parametrize("kind", ["bert", "mpnet", "modernbert", "deberta-v2"])
def test_encoders_of_every_kind_train_and_predict_in_both_precisions(tmp_path, kind):
    deep_encoder(tmp_path, kind)
    fp32, bf16 = (
        classifier_for(tmp_path, precision=precision, epochs=1, batch_size=4).fit(TEXTS, one_hot(NAMES))
        for precision in ("fp32", "bf16")
    )
    np.testing.assert_allclose(fp32.predict_proba(TEXTS), bf16.predict_proba(TEXTS), atol=0.05)
    assert bf16.features(TEXTS).shape == (4, 7 * 16)


@pytest.mark.parametrize("kind", ["mpnet", "modernbert"])
def test_gradient_checkpointing_changes_no_result(tmp_path, kind):
    deep_encoder(tmp_path, kind)
    calls = []

    def fit(**settings):
        classifier = classifier_for(tmp_path, epochs=2, batch_size=2, **settings)
        return classifier.fit(TEXTS, one_hot(NAMES)).predict_proba(TEXTS)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers, "checkpoint", lambda *a, **k: calls.append(1) or checkpoint(*a, **k))
        lean = fit(gradient_checkpointing=True)
    assert calls, "nothing was computed again"
    np.testing.assert_allclose(lean, fit(), atol=1e-6)
