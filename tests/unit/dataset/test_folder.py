"""A build replaces datasets and nothing else.

Every name that is tried here resolves to a place inside `tmp_path`, so that a broken guard can destroy nothing else.
"""

import json
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import threading

import pytest

from claimkind.config import BuildDatasetConfig, PathsConfig
from claimkind.dataset import folder as folders
from claimkind.dataset.build import run
from claimkind.dataset.load import load_dataset
from claimkind.dataset.rows import write_rows
from claimkind.errors import ClaimkindError
from claimkind.manifest import write_manifest
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


def ended_process():
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_drafts_of_builds_that_were_killed_are_removed(seeds, tmp_path):
    for ending in ("part", "old"):
        draft = tmp_path / f".tiny.{socket.gethostname()}-{ended_process()}.{ending}"
        draft.mkdir()
        (draft / "train.parquet").write_text("half")
    build(tmp_path, seeds)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_drafts_of_builds_that_may_be_running_are_kept(seeds, tmp_path):
    drafts = {f".tiny.another-machine-{ended_process()}.part", f".tiny.{socket.gethostname()}-{os.getppid()}.part"}
    for draft in drafts:
        (tmp_path / draft).mkdir()
    build(tmp_path, seeds)
    assert {path.name for path in tmp_path.iterdir()} == {"tiny", *drafts}


def test_a_folder_of_the_users_where_drafts_are_written_is_kept(seeds, tmp_path):
    draft = tmp_path / f".tiny.{socket.gethostname()}-{ended_process()}.part"
    draft.mkdir()
    (draft / "novel.txt").write_text("keep")
    with pytest.raises(ClaimkindError, match=r"\.part holds novel\.txt, which is no file of a dataset"):
        build(tmp_path, seeds)
    assert tree(tmp_path) == {draft.name: None, f"{draft.name}/novel.txt": b"keep"}


def test_a_build_that_fails_while_it_writes_leaves_no_draft(seeds, tmp_path, monkeypatch):
    def full(rows, path):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("claimkind.dataset.build.write_rows", full)
    with pytest.raises(OSError, match="No space left"):
        build(tmp_path, seeds)
    assert tree(tmp_path) == {}


def test_a_second_build_of_a_dataset_is_refused_while_the_first_runs(seeds, tmp_path, monkeypatch):
    outcomes = []

    def second():
        try:
            build(tmp_path, seeds, split_seed=1)
            outcomes.append("built")
        except ClaimkindError as error:
            outcomes.append(str(error))

    def write_while_another_builds(rows, path):
        monkeypatch.setattr("claimkind.dataset.build.write_rows", write_rows)
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        write_rows(rows, path)

    monkeypatch.setattr("claimkind.dataset.build.write_rows", write_while_another_builds)
    first = build(tmp_path, seeds)
    assert outcomes == [f"another process builds {first}, expected none: wait for it, or give another dataset.name"]
    assert load_dataset(tmp_path, "tiny").fingerprint


def test_another_machine_that_replaces_the_dataset_at_the_same_time_loses_nothing(seeds, tmp_path, monkeypatch):
    before = tree(build(tmp_path, seeds))
    rename = type(tmp_path).rename

    def fail(path, target):
        if path.suffix == ".part":
            raise OSError(39, "Directory not empty")
        return rename(path, target)

    monkeypatch.setattr(type(tmp_path), "rename", fail)
    with pytest.raises(ClaimkindError, match=r"tiny cannot be replaced \(Directory not empty\), expected that"):
        build(tmp_path, seeds, split_seed=1)
    assert tree(tmp_path / "tiny") == before
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def build_again_and_again(data_dir, seeds, seed, results):
    for _ in range(4):
        try:
            build(data_dir, seeds, split_seed=seed)
            results.put("built")
        except ClaimkindError as error:
            results.put(str(error))


@pytest.mark.slow
def test_builds_and_readers_at_the_same_time_see_whole_datasets(seeds, tmp_path):
    fingerprints = {load_dataset(build(tmp_path, seeds, split_seed=seed).parent, "tiny").fingerprint for seed in (0, 1)}
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    builders = [context.Process(target=build_again_and_again, args=(tmp_path, seeds, seed, results)) for seed in (0, 1)]
    for builder in builders:
        builder.start()
    loads = 0
    while any(builder.is_alive() for builder in builders):
        assert load_dataset(tmp_path, "tiny").fingerprint in fingerprints
        loads += 1
    outcomes = [results.get(timeout=10) for _ in range(8)]
    assert loads > 5
    assert "built" in outcomes
    assert all(outcome == "built" or "another process builds" in outcome for outcome in outcomes), outcomes
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_a_dataset_is_not_replaced_while_it_is_read(seeds, tmp_path):
    fingerprint = load_dataset(build(tmp_path, seeds).parent, "tiny").fingerprint
    second = threading.Thread(target=build, args=(tmp_path, seeds), kwargs={"split_seed": 1})
    with folders.held_for_reading(tmp_path / "tiny"):
        second.start()
        second.join(timeout=2)
        assert json.loads((tmp_path / "tiny" / "manifest.json").read_text())["fingerprint"] == fingerprint
    second.join()
    assert load_dataset(tmp_path, "tiny").fingerprint != fingerprint


def damaged(folder, **changes):
    """Change entries of the manifest, whose digests stay valid."""
    content = json.loads((folder / "manifest.json").read_text())
    write_manifest(folder, {**content, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": {"train": 1, "validation": 1, "test": 1}}, r"has \d+ rows, expected 1 by manifest\.json"),
        ({"fingerprint": "0" * 16}, r"has the fingerprint 0{16}, which is not that of its files"),
        ({"rows": None}, "is of no dataset, expected its `rows` and `settings`"),
        ({"settings": None}, "is of no dataset, expected its `rows` and `settings`"),
    ],
)
def test_a_manifest_that_describes_other_rows_is_refused(changes, message, seeds, tmp_path):
    damaged(build(tmp_path, seeds), **changes)
    with pytest.raises(ClaimkindError, match=message):
        load_dataset(tmp_path, "tiny")


def test_files_of_another_build_with_valid_digests_are_refused(seeds, tmp_path):
    first, second = build(tmp_path, seeds), build(tmp_path, seeds, name="other", split_seed=1)
    shutil.copy(second / "test.parquet", first / "test.parquet")
    damaged(first)
    with pytest.raises(ClaimkindError, match="which is not that of its files"):
        load_dataset(tmp_path, "tiny")


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
    assert done.stderr.startswith("error: dataset.name has no value, expected one")
    assert done.stderr.count("\n") == 1
    assert tree(project) == before
