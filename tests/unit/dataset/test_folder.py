"""A build replaces datasets and nothing else.

Every name that is tried here resolves to a place inside `tmp_path`, so that a broken guard can destroy nothing else.
"""

import json
import shutil

import pytest

from claimkind.config import BuildDatasetConfig, PathsConfig
from claimkind.dataset.build import run
from claimkind.dataset.load import load_dataset
from claimkind.errors import ClaimkindError
from tests.conftest import dataset_config, run_script, source_settings

NO_PLAIN_NAMES = ["", ".", "..", "../src", "a/b", ".hidden", "-x", " ", "a b"]
RESERVED = ["corpora", "checkpoints", "Corpora"]


def build(data_dir, seeds, **changes):
    config = BuildDatasetConfig(dataset=dataset_config(seeds, **changes), paths=PathsConfig(data_dir=str(data_dir)))
    return run(config).folder


def tree(folder):
    """By path below a folder, the content of each file and None for each folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")
    }


@pytest.fixture
def project(tmp_path):
    """A folder like a project's, with files that must survive."""
    for name in ("src/code.py", "data/mine.txt", "data/corpora/big.tsv", "data/checkpoints/run/model.safetensors"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("keep")
    return tmp_path


@pytest.mark.parametrize("name", NO_PLAIN_NAMES)
def test_a_name_that_is_a_path_or_empty_is_refused_and_nothing_is_touched(name, project, seeds):
    before = tree(project)
    with pytest.raises(ClaimkindError, match=r"dataset\.name is '.*', expected letters, digits, `_`, `\.` and `-`"):
        build(project / "data", seeds, name=name)
    assert tree(project) == before


def test_an_absolute_path_is_refused_and_nothing_is_touched(project, seeds):
    before = tree(project)
    with pytest.raises(ClaimkindError, match=r"dataset\.name is '/.*', expected letters"):
        build(project / "data", seeds, name=str(project / "src"))
    assert tree(project) == before


@pytest.mark.parametrize("name", RESERVED)
def test_the_name_of_a_folder_with_another_purpose_is_refused_and_nothing_is_touched(name, project, seeds):
    before = tree(project)
    with pytest.raises(ClaimkindError, match=r"dataset\.name is '.*', which is reserved for other files"):
        build(project / "data", seeds, name=name)
    shutil.rmtree(project / "data" / "corpora")
    with pytest.raises(ClaimkindError, match="which is reserved"):
        build(project / "data", seeds, name=name)
    assert tree(project) == {path: content for path, content in before.items() if "corpora" not in path}


@pytest.mark.parametrize(
    "files",
    [
        {"notes.txt": "keep"},
        {"manifest.json": "{}"},
        {"manifest.json": "["},
        {"manifest.json": json.dumps({"family": "tfidf", "files": {}, "labels": []}), "tfidf.safetensors": ""},
        {"train.parquet": "", "manifest.json": "not json"},
    ],
)
def test_a_folder_that_is_no_dataset_is_never_replaced(files, seeds, tmp_path):
    (tmp_path / "tiny").mkdir()
    for name, content in files.items():
        (tmp_path / "tiny" / name).write_text(content)
    before = tree(tmp_path)
    with pytest.raises(ClaimkindError, match="tiny is not a dataset that this script has built, so it is not replaced"):
        build(tmp_path, seeds)
    assert tree(tmp_path) == before


def test_a_file_in_the_place_of_a_dataset_is_never_replaced(seeds, tmp_path):
    (tmp_path / "tiny").write_text("keep")
    with pytest.raises(ClaimkindError, match="tiny is not a dataset"):
        build(tmp_path, seeds)
    assert tree(tmp_path) == {"tiny": b"keep"}


def test_a_dataset_with_a_file_of_the_users_is_not_replaced(seeds, tmp_path):
    (build(tmp_path, seeds) / "notes.txt").write_text("keep")
    before = tree(tmp_path)
    with pytest.raises(ClaimkindError, match=r"tiny holds notes\.txt, which is no file of a dataset: move it"):
        build(tmp_path, seeds, split_seed=1)
    assert tree(tmp_path) == before


def test_a_dataset_is_replaced_and_no_draft_is_left(seeds, tmp_path):
    first = load_dataset(build(tmp_path, seeds).parent, "tiny").fingerprint
    assert load_dataset(build(tmp_path, seeds, split_seed=1).parent, "tiny").fingerprint != first
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_drafts_of_a_build_that_was_killed_are_removed(seeds, tmp_path):
    for name in (".tiny.part", ".tiny.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.parquet").write_text("half")
    build(tmp_path, seeds)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_a_folder_of_the_users_where_drafts_are_written_is_kept(seeds, tmp_path):
    (tmp_path / ".tiny.part").mkdir()
    (tmp_path / ".tiny.part" / "novel.txt").write_text("keep")
    with pytest.raises(ClaimkindError, match=r"\.tiny\.part holds novel\.txt, which is no file of a dataset"):
        build(tmp_path, seeds)
    assert tree(tmp_path) == {".tiny.part": None, ".tiny.part/novel.txt": b"keep"}


def test_a_linked_dataset_is_replaced_where_it_is(seeds, tmp_path):
    build(tmp_path / "disk", seeds)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "tiny").symlink_to(tmp_path / "disk" / "tiny")
    build(tmp_path / "data", seeds, split_seed=1)
    assert (tmp_path / "data" / "tiny").is_symlink()
    assert load_dataset(tmp_path / "data", "tiny").fingerprint == load_dataset(tmp_path / "disk", "tiny").fingerprint


def test_only_plain_names_are_loaded(tmp_path):
    with pytest.raises(ClaimkindError, match=r"dataset\.name is '\.\./x', expected letters"):
        load_dataset(tmp_path, "../x")


@pytest.mark.parametrize("name", ["News (2024)", "a@b", "p%q", "", "../x", "größe/1"])
def test_a_source_name_that_mlflow_does_not_take_is_refused(name, seeds, tmp_path):
    with pytest.raises(ClaimkindError, match=r"the name of a source in dataset\.sources is '.*', expected letters"):
        build(tmp_path, seeds, sources={name: source_settings(seeds)}, always_test=[])
    assert tree(tmp_path) == {}


def test_an_empty_variable_on_the_command_line_is_one_sentence(project):
    before = tree(project)
    done = run_script("build_dataset", "dataset.name=", cwd=project)
    assert done.returncode == 2
    assert done.stderr.startswith("error: dataset.name is '', expected letters, digits")
    assert done.stderr.count("\n") == 1
    assert tree(project) == before
