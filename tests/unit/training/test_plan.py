import pandas as pd
import pytest

from claimkind import models, tracking
from claimkind.config import PathsConfig, TrainConfig, to_schema
from claimkind.errors import ClaimkindError
from claimkind.labels import one_hot
from claimkind.models.transformer import TransformerClassifier, TransformerSettings
from claimkind.training.plan import plan, resolve
from claimkind.training.weights import RowWeighting, training_weights
from tests.conftest import dataset_config
from tests.unit.test_config import composed

TFIDF = {"_target_": "claimkind.models.tfidf.TfidfClassifier"}


@pytest.fixture
def make_plan(in_workspace, seeds):
    def make(**settings):
        return plan(
            TrainConfig(
                **{"dataset": dataset_config(seeds), "model": TFIDF, "paths": PathsConfig(data_dir="data"), **settings}
            )
        )

    return make


@pytest.mark.parametrize(("family", "weight"), [("tfidf", 1), ("hashing", 1), ("transformer", 0)])
def test_the_evidence_weight_is_that_of_the_family_unless_one_is_given(family, weight):
    model = {"_target_": f"claimkind.models.{family}.{family.capitalize()}Classifier"}
    model |= {"encoder": "any"} if family == "transformer" else {}
    assert resolve(model, None, {})["evidence_weight"] == weight
    assert resolve(model, 0.5, {})["evidence_weight"] == 0.5


def test_trainings_with_the_same_settings_share_a_checkpoint_folder(make_plan):
    assert make_plan().checkpoints == make_plan(run_name="other name", bootstrap_samples=100).checkpoints
    changes = ({"seed": 1}, {"max_labels": 9}, {"experiment_name": "other"}, {"model": {**TFIDF, "C": 2.0}})
    folders = {make_plan(**change).checkpoints for change in ({}, *changes)}
    assert len(folders) == 1 + len(changes)


def test_the_name_of_a_run_contains_family_dataset_and_seed(make_plan):
    assert make_plan(seed=3).run_name == "tfidf · tiny · seed 3"
    assert make_plan(run_name="mine").run_name == "mine"


def test_the_name_of_a_run_contains_the_settings_that_differ_from_the_defaults(make_plan):
    changed = make_plan(max_labels=20, source_weights={"documents": 0.5})
    assert changed.run_name == "tfidf · tiny · source_weights=documents:0.5 · max_labels=20 · seed 0"
    assert changed.model_name == "tfidf · source_weights=documents:0.5 · max_labels=20"


def test_the_seeds_only_experiment_does_not_train_on_a_corpus_that_is_added():
    config = to_schema(composed("train", "experiment=seeds_only_on_public"), TrainConfig)
    sources = [*config.dataset.sources, "a_new_corpus"]
    rows = pd.DataFrame({"source": sources * 2, "label": [0] * len(sources) + [None] * len(sources)})
    weights = training_weights(rows, RowWeighting(evidence_weight=1, train_sources=config.train_sources), seed=0)
    assert set(rows["source"][weights > 0]) == {"documents", "contrast"}


@pytest.mark.parametrize("seed", [-1, 1 << 32])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(ClaimkindError, match=rf"seed={seed}, expected 0 to 4294967295"):
        plan(TrainConfig(seed=seed, model=TFIDF))


def test_a_precision_out_of_range_is_refused():
    with pytest.raises(ClaimkindError, match=r"target_precision is 95\.0, expected a share"):
        plan(TrainConfig(model=TFIDF, target_precision=95.0))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"distil_texts": ["seeds"]}, "distil_texts is given, but no distil_from"),
        ({"init_from": "models:/m-1"}, "init_from=models:/m-1 names no model"),
        ({"train_sources": ["documnts"]}, "train_sources names 'documnts', .* did you mean documents"),
        ({"bootstrap_samples": 3}, "bootstrap_samples=3 give no interval"),
    ],
)
def test_wrong_settings_are_one_sentence(make_plan, settings, sentence):
    tracking.prepare_store("claimkind")
    with pytest.raises(ClaimkindError, match=sentence):
        make_plan(**settings)


def test_a_saved_model_to_start_from_is_checked(make_plan, tiny_encoder, tmp_path):
    settings = {"_target_": "claimkind.models.transformer.TransformerClassifier", "encoder": str(tiny_encoder)}
    with pytest.raises(
        ClaimkindError, match=r"init_from=.* holds no manifest\.json, .* no saved model is model\.encoder"
    ):
        make_plan(model=settings, init_from=str(tiny_encoder))
    fitted = TransformerClassifier(TransformerSettings(str(tiny_encoder), epochs=0.01, precision="fp32"))
    models.save(fitted.fit(["Rain.", "Sun."], one_hot(["factual", "opinion"])), tmp_path / "model")
    weights = (tmp_path / "model" / "model.safetensors").read_bytes()
    (tmp_path / "model" / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    with pytest.raises(ClaimkindError, match=r"init_from=.*model\.safetensors is damaged, its sha256 is not the one"):
        make_plan(model=settings, init_from=str(tmp_path / "model"))
