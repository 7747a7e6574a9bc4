import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from claimkind import models
from claimkind.errors import ClaimkindError
from claimkind.labels import one_hot
from claimkind.models.tfidf import TfidfClassifier, TfidfSettings, _pairs, _skeleton

TEXTS = ["Rain fell.", "Rain might fall.", "Rain is sadly dull."]
EVIDENCE = one_hot(["factual", "speculative", "opinion"])


def test_weights_that_do_not_belong_to_the_n_grams_are_refused(tmp_path):
    models.save(TfidfClassifier(TfidfSettings(min_df=1)).fit(TEXTS, EVIDENCE), tmp_path / "model")
    weights = tmp_path / "model" / "tfidf.safetensors"
    saved = load_file(weights)
    save_file({**saved, "coef_": saved["coef_"][:, 1:].copy()}, weights)
    with pytest.raises(ClaimkindError, match=r"does not load \(weights of shape .* for \d+ n-grams and 3 classes\)"):
        TfidfClassifier.load(tmp_path / "model")
    (tmp_path / "model" / "ngrams.json").unlink()
    with pytest.raises(ClaimkindError, match=r"does not load \(.*ngrams\.json.*train again"):
        TfidfClassifier.load(tmp_path / "model")


def test_quotation_marks_are_features():
    texts, evidence = [*TEXTS, "He called it “rain”."], [*EVIDENCE, EVIDENCE[0]]
    fitted = TfidfClassifier(TfidfSettings(min_df=1)).fit(texts, evidence)
    assert "“" in fitted.features_.views["words"].vocabulary_


def test_a_class_that_no_row_has_gets_probability_zero():
    fitted = TfidfClassifier(TfidfSettings(min_df=1)).fit(TEXTS[:2], EVIDENCE[:2])
    assert fitted.predict_proba(TEXTS)[:, 2].tolist() == [0, 0, 0]


def test_one_class_alone_is_refused():
    with pytest.raises(ClaimkindError, match="are all of one class, expected two at least"):
        TfidfClassifier(TfidfSettings(min_df=1)).fit(TEXTS[:2], one_hot(["opinion", "opinion"]))


def test_sentences_without_features_are_refused():
    with pytest.raises(ClaimkindError, match=r"give no features .*: lower model\.min_df"):
        TfidfClassifier(TfidfSettings(min_df=5)).fit(TEXTS, EVIDENCE)


def test_the_strongest_n_grams_of_a_class_are_its_own():
    strongest = TfidfClassifier(TfidfSettings(min_df=1, word_ngrams=1)).fit(TEXTS, EVIDENCE).strongest(2)
    assert {name for name, _ in strongest["speculative"]} == {"might", "fall"}
    assert {name for name, _ in strongest["opinion"]} <= {"is", "sadly", "dull"}
    assert all(found[0][1] >= found[1][1] for found in strongest.values())


def test_of_two_classes_both_have_n_grams():
    strongest = TfidfClassifier(TfidfSettings(min_df=1, word_ngrams=1)).fit(TEXTS[:2], EVIDENCE[:2]).strongest(1)
    assert strongest["factual"][0][0] == "fell"
    assert list(strongest) == ["factual", "speculative"]


def test_a_skeleton_keeps_frequent_words_and_punctuation_and_the_kind_of_others():
    cues = {"he", "said", "in"}
    assert (
        _skeleton("“Rain fell 3 times,” He said in Oslo.", cues)
        == "Q Capital -ell 0 -mes , Q Capital said in Capital ."
    )
    assert _skeleton("it is", cues) == "it is"


def test_pairs_are_of_frequent_words_whatever_their_order_and_case():
    assert _pairs("He said it will", {"he", "said", "will"}) == ["he~said", "he~will", "said~will"]
    assert _pairs("it", {"he"}) == []


def test_looked_up_columns_equal_those_of_the_vectorisers():
    texts = [*TEXTS, "Rain, rain… and RAIN: aaaaaa", "", "  ", "Ünïcode is rain\train might"]
    features = TfidfClassifier(TfidfSettings(min_df=1)).fit(TEXTS, EVIDENCE).features_
    found, expected = features.transform(texts), features.by_vectorisers(texts)
    np.testing.assert_allclose(found.toarray(), expected.toarray(), atol=1e-12)


def test_without_cues_there_are_words_and_characters_only():
    fitted = TfidfClassifier(TfidfSettings(min_df=1, cues=0)).fit(TEXTS, EVIDENCE)
    assert list(fitted.features_.views) == ["words", "characters"]


def test_evidence_is_enough_where_no_row_is_labelled():
    texts = [f"{text} {number}" for number in range(20) for text in TEXTS]
    evidence = np.tile([[0.8, 0.3, 0.1], [0.1, 0.6, 0.1], [0.1, 0.1, 0.8]], (20, 1))
    predicted = TfidfClassifier().fit(texts, evidence).predict_proba(TEXTS).argmax(axis=1)
    assert predicted.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"C": 0}, "model.C=0, expected at least 1e-08"),
        ({"word_ngrams": 0}, "model.word_ngrams=0, expected 1 to 10"),
        ({"min_df": 0}, "model.min_df=0, expected at least 1"),
        ({"char_ngrams": 1}, "model.char_ngrams=1, expected 0 or at least 2"),
    ],
)
def test_settings_out_of_range_are_one_sentence(settings, message):
    with pytest.raises(ClaimkindError, match=message):
        TfidfClassifier(TfidfSettings(**settings))


def test_evidence_of_little_weight_counts_little_and_not_nothing():
    texts = ["rain fell", "rain may fall", "rain is dull"] * 3 + ["snow may fall", "snow fell"] * 5
    evidence = np.concatenate([one_hot(["factual", "speculative", "opinion"] * 3), [[0, 1, 0], [1, 0, 0]] * 5])
    evidence[9:] += 0.01  # no hard label
    without, little, much = (
        TfidfClassifier(TfidfSettings(min_df=1, balanced=False))
        .fit(texts, evidence, weights=np.r_[np.ones(9), np.full(10, weight)])
        .predict_proba(["snow may fall"])[0, 1]
        for weight in (1e-9, 9e-4, 1.0)
    )
    assert without < little < much


def test_rows_of_uniform_evidence_do_not_make_a_rare_class_frequent():
    """A balanced regression predicts as if classes were equally frequent, which is no posterior."""
    random = np.random.default_rng(0)
    labels = random.choice(3, size=600, p=[0.85, 0.1, 0.05])
    words = np.array([["fell", "sank", "ran"], ["may", "might", "could"], ["dull", "poor", "bad"]])
    # A third of the sentences have a word of any class.
    texts = [
        f"rain {random.choice(words[label]) if random.random() < 0.67 else random.choice(words.ravel())}"
        for label in labels
    ]
    evidence = np.ones((600, 3))
    evidence[:150] = np.eye(3)[labels[:150]]
    fitted = TfidfClassifier(TfidfSettings(min_df=1, em_steps=20)).fit(texts, evidence)
    alone = TfidfClassifier(TfidfSettings(min_df=1)).fit(texts[:150], evidence[:150])
    recall = [(model.predict_proba(texts).argmax(axis=1)[labels == 0] == 0).mean() for model in (fitted, alone)]
    assert recall[0] >= recall[1] - 0.02


def test_a_class_that_only_evidence_names_is_learned():
    texts = ["rain fell", "rain may fall", "rain is dull"] * 10
    evidence = np.tile([[1, 0, 0], [0, 1, 0], [0.1, 0.1, 0.8]], (10, 1))
    assert TfidfClassifier(TfidfSettings(min_df=1)).fit(texts, evidence).predict_proba(texts[:3]).argmax(
        axis=1
    ).tolist() == [0, 1, 2]
