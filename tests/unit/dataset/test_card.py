"""The data card claims only what is true of the dataset, and its command builds it again."""

import json
import shlex
import shutil
import subprocess
import sys

import pandas as pd
import pytest
from omegaconf import OmegaConf

from claimkind.config import BuildDatasetConfig, DatasetConfig, PathsConfig
from claimkind.dataset.build import run
from claimkind.dataset.load import load_dataset
from tests.conftest import ROOT, dataset_config, run_script, source_settings

OWN = "article,sentence,kind\n" + "".join(
    f'{n},"The {place} clinic {end}",{kind}\n'
    for n, place in enumerate(["north", "south", "west", "east", "old", "new", "upper", "lower", "far", "near"])
    for end, kind in (("opened in May.", "fact"), ("may close.", "guess"), ("is a delight.", "view"))
)
TABLE = {
    "_target_": "claimkind.dataset.sources.table.Table", "files": {"own.csv": None}, "licence": "own",
    "text_column": "sentence", "label_column": "kind", "group_column": "article",
    "own_labels": {"fact": "factual", "guess": "speculative", "view": "opinion"},
}  # fmt: skip


def card_of(config: DatasetConfig, folder) -> str:
    built = run(BuildDatasetConfig(dataset=config, paths=PathsConfig(data_dir=str(folder / "data"))))
    return (built.folder / "README.md").read_text()


@pytest.fixture
def own_card(tmp_path):
    (tmp_path / "own.csv").write_text(OWN)
    source = {**TABLE, "folder": str(tmp_path)}
    return card_of(DatasetConfig(name="mine", sources={"reviews": source}, near_duplicate_threshold=1.0), tmp_path)


@pytest.mark.parametrize(
    "claim", ["`documents`", "`contrast`", "`article`", "language model", "passes", "guide", "GUIDE", "kappa", "votes"]
)
def test_the_card_of_own_data_says_nothing_about_the_seeds(claim, own_card):
    assert claim not in own_card


def test_own_labels_read_back_are_no_agreement_and_no_evidence(own_card):
    assert "greement" not in own_card
    assert "P(source label | class)" not in own_card


def test_the_card_of_own_data_says_what_is_in_it(own_card):
    for part in ("# mine", "## Counts", "| reviews |", "`reviews`: nothing is stated", "## Licences", "| own |"):
        assert part in own_card


def test_what_a_source_states_stands_in_the_card(seeds, tmp_path):
    stated = {**source_settings(seeds), "provenance": "Written by nobody."}
    card = card_of(dataset_config(seeds, sources={"documents": stated}), tmp_path)
    assert "- `documents`: Written by nobody." in card
    assert "| all | 180 | 1 | 1 |" in card  # two votes on each sentence


@pytest.fixture(scope="module")
def bundled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundled")
    run_script("build_dataset", f"paths.seeds_dir={ROOT / 'seeds'}", cwd=folder, check=True)
    return folder / "data" / "bundled"


def test_the_seeds_state_how_they_were_written_and_labelled(bundled):
    card = (bundled / "README.md").read_text()
    for part in ("- `documents`: ", "- `contrast`: ", "- `analysis`: ", "language model", "No person has checked"):
        assert part in card


def test_eight_documents_of_analytic_prose_are_always_tested(bundled):
    rows = {name: pd.read_parquet(bundled / f"{name}.parquet") for name in ("train", "validation", "test")}
    documents = {name: set(part.loc[part["source"] == "analysis", "document"]) for name, part in rows.items()}
    pinned = OmegaConf.load(ROOT / "configs" / "dataset" / "bundled.yaml").always_test
    assert documents["test"] == set(pinned) - {"article"}
    assert len(documents["test"]) == 8
    assert len(documents["train"] | documents["validation"]) >= 16
    test = rows["test"]
    assert set(test.loc[test["source"] == "analysis", "genre"]) == {"analysis"}


def build_in(project, *arguments):
    """Run the script of a copy of the project."""
    script = [sys.executable, "scripts/build_dataset.py", *arguments]
    subprocess.run(script, cwd=project, check=True, capture_output=True)


@pytest.mark.slow
def test_the_command_of_the_card_builds_the_dataset_again(tmp_path):
    """As the README tells: a table of one's own, a file for it in `configs/source/`, and one command."""
    for name in ("configs", "scripts", "seeds"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "my_data").mkdir()
    (tmp_path / "my_data" / "own.csv").write_text(OWN)
    source = {**TABLE, "folder": "my_data"}
    (tmp_path / "configs" / "source" / "reviews.yaml").write_text(json.dumps(source))
    given = ["dataset.name=mine", "+source@dataset.sources.reviews=reviews", "dataset.split_seed=3"]
    build_in(tmp_path, *given)
    first = load_dataset(tmp_path / "data", "mine")
    command = json.loads((first.folder / "manifest.json").read_text())["command"]
    python, script, *arguments = shlex.split(command)
    assert (python, script) == ("python", "scripts/build_dataset.py")
    assert f"`{command}`" in (first.folder / "README.md").read_text()
    shutil.rmtree(first.folder)
    build_in(tmp_path, *arguments)
    assert load_dataset(tmp_path / "data", "mine").fingerprint == first.fingerprint


def test_paths_are_no_part_of_the_command(bundled):
    manifest = json.loads((bundled / "manifest.json").read_text())
    assert manifest["command"] == "python scripts/build_dataset.py dataset=bundled"


def test_a_build_from_python_has_no_command(own_card, tmp_path):
    manifest = json.loads((tmp_path / "data" / "mine" / "manifest.json").read_text())
    assert manifest["command"] is None
    assert "scripts/build_dataset.py" not in own_card
