import hashlib
import json
import shutil

import pandas as pd
import pytest

from claimkind.config import BuildDatasetConfig, DatasetConfig, PathsConfig, changed_settings
from claimkind.dataset.build import run
from claimkind.dataset.load import load_dataset
from claimkind.dataset.rows import FEATURES, SPLITS
from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS
from tests.conftest import dataset_config, label_document, source_settings


def build_in(data_dir, seeds, **changes):
    """Build a small dataset and return its folder."""
    config = BuildDatasetConfig(dataset=dataset_config(seeds, **changes), paths=PathsConfig(data_dir=str(data_dir)))
    return run(config).folder


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(seeds, tmp_path):
    first = digests(build_in(tmp_path / "one", seeds))
    assert digests(build_in(tmp_path / "two", seeds)) == first
    assert set(first) == {"train.parquet", "validation.parquet", "test.parquet", "manifest.json", "README.md"}
    assert digests(build_in(tmp_path / "three", seeds, split_seed=1))["train.parquet"] != first["train.parquet"]


def test_rows_have_the_columns_of_the_contract_and_labels_in_our_order(seeds, tmp_path):
    dataset = load_dataset(build_in(tmp_path, seeds).parent, "tiny")
    assert set(dataset.splits) == {"train", "validation", "test"}
    for rows in dataset.splits.values():
        assert rows.column_names == list(FEATURES)
        assert rows.features["label"].names == list(LABELS)
        for label, evidence in zip(rows["label"], rows["evidence"], strict=True):
            assert evidence == [float(index == label) for index in range(3)]
    raw = pd.read_parquet(tmp_path / "tiny" / "train.parquet")
    assert set(raw["label"]) == set(LABELS)


def test_the_pinned_article_is_on_the_test_side(seeds, tmp_path):
    for seed in range(3):
        dataset = load_dataset(build_in(tmp_path, seeds, split_seed=seed).parent, "tiny")
        assert "article" in dataset.splits["test"].unique("document")
        assert "article" not in dataset.splits["train"].unique("document")


def test_the_card_says_what_is_in_it(seeds, tmp_path):
    card = (build_in(tmp_path, seeds) / "README.md").read_text()
    assert card.startswith("---\npretty_name: claimkind tiny\n")
    for part in ("## Counts", "## Agreement", "## Licences", "## Duplicates and splits"):
        assert part in card
    assert "| all | 180 | 1 | 1 |" in card


def test_a_correction_moves_no_row_to_another_split(seeds, tmp_path):
    folder = build_in(tmp_path, seeds)
    before = {name: pd.read_parquet(folder / f"{name}.parquet") for name in ("train", "validation", "test")}
    # Enough of one document to change its most frequent label, by which documents are put into strata.
    rows = pd.concat(before.values())
    wrong = rows[(rows["document"] == "jurby") & (rows["label"] != "opinion")]
    wrong.assign(corrected="opinion").to_csv(tmp_path / "c.csv", index=False)
    build_in(tmp_path, seeds, corrections=[str(tmp_path / "c.csv")])
    after = {name: pd.read_parquet(folder / f"{name}.parquet") for name in before}
    assert {name: part["id"].tolist() for name, part in after.items()} == {
        name: part["id"].tolist() for name, part in before.items()
    }
    corrected = pd.concat(after.values())
    assert set(corrected.loc[corrected["document"] == "jurby", "label"]) == {"opinion"}


def test_a_dataset_that_was_not_built_says_how_to(tmp_path):
    with pytest.raises(ClaimkindError, match=r"build it with `python scripts/build_dataset\.py dataset=tiny`"):
        load_dataset(tmp_path, "tiny")


def test_a_damaged_dataset_is_refused(seeds, tmp_path):
    folder = build_in(tmp_path, seeds)
    (folder / "test.parquet").write_bytes((folder / "train.parquet").read_bytes())
    with pytest.raises(ClaimkindError, match=r"test\.parquet is damaged"):
        load_dataset(tmp_path, "tiny")


def test_a_build_that_fails_leaves_the_older_dataset_in_place(seeds, tmp_path):
    before = digests(build_in(tmp_path, seeds))
    with pytest.raises(ClaimkindError, match="always_test names 'gone', which is no document of this dataset"):
        build_in(tmp_path, seeds, always_test=["gone"])
    assert digests(tmp_path / "tiny") == before


def test_no_source_at_all_is_refused(seeds, tmp_path):
    with pytest.raises(ClaimkindError, match=r"dataset\.sources is empty"):
        build_in(tmp_path, seeds, sources={})


def test_sentences_of_a_benchmark_are_refused(seeds, tmp_path):
    sentence = "The council of Brack met on Monday."
    digest = hashlib.sha256(sentence.lower().encode()).hexdigest()[:16]
    (tmp_path / "famous.txt").write_text(f"{digest}\n")
    with pytest.raises(ClaimkindError, match="1 sentences of the benchmark famous are in the source documents"):
        build_in(tmp_path, seeds, contamination_hashes=[str(tmp_path / "famous.txt")])


def test_a_repeated_sentence_stands_once_and_parts_no_groups(seeds, tmp_path):
    repeated = pd.DataFrame({"text": ["The train to BRACK left at noon.", "Corm is new."], "label": ["no", "no"]})
    repeated.to_csv(tmp_path / "more.csv", index=False)
    more = {
        "_target_": "claimkind.dataset.sources.table.Table",
        "files": {"more.csv": hashlib.sha256((tmp_path / "more.csv").read_bytes()).hexdigest()},
        "folder": str(tmp_path),
        "licence": "own",
    }
    folder = build_in(tmp_path, seeds, sources={"documents": source_settings(seeds), "more": more})
    parts = [pd.read_parquet(folder / f"{name}.parquet") for name in ("train", "validation", "test")]
    rows = pd.concat(parts)
    assert len(rows) == 181
    assert set(rows.loc[rows["text"].str.startswith("The train to Brack"), "source"]) == {"documents"}
    assert all(a["group"].isin(b["group"]).sum() == 0 for a in parts for b in parts if a is not b)
    assert rows.loc[rows["source"] == "more", "label"].isna().all()


def test_only_what_may_be_used_commercially_is_taken_when_asked(seeds, tmp_path):
    settings = dict(source_settings(seeds))
    folder = build_in(tmp_path, seeds, sources={"documents": settings}, licence="commercial")
    assert set(pd.read_parquet(folder / "train.parquet")["licence"]) == {"CC0-1.0"}


def test_an_unknown_licence_is_refused_before_any_source_is_read(seeds, tmp_path):
    absent = source_settings(seeds / "nowhere")
    with pytest.raises(ClaimkindError, match=r"dataset\.licence is 'free', expected any or commercial"):
        build_in(tmp_path, seeds, sources={"documents": absent}, licence="free")


def test_a_setting_that_the_dataset_was_not_built_with_is_refused(seeds, tmp_path):
    build_in(tmp_path, seeds)
    for config in (dataset_config(seeds), DatasetConfig(name="tiny")):
        assert load_dataset(tmp_path, "tiny", changed_settings(config)).name == "tiny"
    expected = changed_settings(dataset_config(seeds, licence="commercial"))
    with pytest.raises(ClaimkindError, match=r"dataset\.licence=commercial, but .*tiny was built with any: give the"):
        load_dataset(tmp_path, "tiny", expected)


def test_the_result_of_a_build_is_one_line(seeds, tmp_path):
    built = run(BuildDatasetConfig(dataset=dataset_config(seeds), paths=PathsConfig(data_dir=str(tmp_path))))
    assert sum(built.rows.values()) == 180
    assert built.text() == (
        f"{tmp_path / 'tiny'}: {built.rows['train']} train, {built.rows['validation']} validation, "
        f"{built.rows['test']} test; fingerprint {built.fingerprint}"
    )


def documents_with(seeds, folder, sentences, licence="CC0-1.0"):
    """Seeds with further documents of one labelled sentence each."""
    shutil.copytree(seeds, folder)
    path = folder / "labels" / "documents.jsonl"
    for name, text in sentences.items():
        front = f"---\ntitle: {name}\ngenre: test\norigin: written for this test\nlicence: {licence}\n---\n"
        (folder / "documents" / f"{name}.md").write_text(front + text)
        rows = label_document(name, text, ["factual"])
        path.write_text(path.read_text() + "".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_near_duplicates_of_two_documents_are_on_one_side(seeds, tmp_path):
    text = "The committee met in the town hall on the first of {} to hear about the bridge over the river."
    months = ["March", "May", "June", "July", "August", "October"]
    more = documents_with(seeds, tmp_path / "seeds", {month: text.format(month) for month in months})
    folder = build_in(tmp_path / "data", more, near_duplicate_threshold=0.75)
    rows = pd.concat([pd.read_parquet(folder / f"{split}.parquet").assign(split=split) for split in SPLITS])
    alike = rows[rows["document"].isin(months)]
    assert len(alike) == 6
    assert alike["group"].nunique() == alike["split"].nunique() == 1
    apart = build_in(tmp_path / "apart", more)  # a threshold of 1
    rows = pd.read_parquet(apart / "train.parquet")
    assert rows[rows["document"].isin(months)]["group"].nunique() > 1
    counts = [json.loads((path / "manifest.json").read_text())["near_duplicate_pairs"] for path in (folder, apart)]
    assert counts[0] >= 5
    assert counts[1] == 0


def test_sentences_that_may_not_be_used_commercially_are_left_out(seeds, tmp_path):
    more = documents_with(seeds, tmp_path / "seeds", {"closed": "The gate is closed to carts."}, "CC-BY-NC-4.0")
    for licence, expected in (("any", 1), ("commercial", 0)):
        folder = build_in(tmp_path / licence, more, licence=licence)
        rows = pd.concat([pd.read_parquet(folder / f"{split}.parquet") for split in SPLITS])
        assert (rows["licence"] == "CC-BY-NC-4.0").sum() == expected
        assert len(rows) == 180 + expected
        left_out = json.loads((folder / "manifest.json").read_text())["left_out_by_licence_or_without_any_label"]
        assert left_out == 1 - expected


def test_validation_and_test_hold_labelled_rows_only(seeds, tmp_path):
    rows = "".join(f"Sentence {n} of the other table.,{'yes' if n % 2 else 'no'},{n % 6}\n" for n in range(60))
    (tmp_path / "other.csv").write_text(f"text,label,group\n{rows}")
    other = {
        "_target_": "claimkind.dataset.sources.table.Table", "files": {"other.csv": None}, "folder": str(tmp_path),
        "licence": "own", "group_column": "group", "always_test": ["other"],
    }  # fmt: skip
    folder = build_in(tmp_path, seeds, sources={"documents": source_settings(seeds), "other": other})
    for split in ("validation", "test"):
        assert pd.read_parquet(folder / f"{split}.parquet")["label"].notna().all()
    assert "other" not in set(pd.read_parquet(folder / "test.parquet")["source"])


def test_an_id_on_two_rows_is_refused(seeds, tmp_path):
    (tmp_path / "other.csv").write_text("text,label,key\nThe mill closed.,yes,7\nThe pool closed.,no,7\n")
    other = {
        "_target_": "claimkind.dataset.sources.table.Table", "files": {"other.csv": None}, "folder": str(tmp_path),
        "licence": "own", "id_column": "key",
    }  # fmt: skip
    with pytest.raises(ClaimkindError, match="found the id 'other:7' on two rows, expected each id once"):
        build_in(tmp_path, seeds, sources={"documents": source_settings(seeds), "other": other})
