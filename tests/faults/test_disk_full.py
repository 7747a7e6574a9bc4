"""A full disk: one sentence, nothing that passes for whole, and the same command goes on when there is space."""

import shlex
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from claimkind import models
from claimkind.labels import one_hot
from claimkind.models.hashing import HashingClassifier
from tests.conftest import PLACES, ROOT, TEMPLATES

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare, to mount a small disk"),
]


def on_small_disk(folder, size, name, *arguments, cwd, again=()):
    """Run a script with a disk of some KiB mounted at `folder`, and once more with a large one.

    Returns:
        For both runs the exit code, stderr, and the files on the disk.
    """
    folder.mkdir(exist_ok=True)
    command = [sys.executable, str(ROOT / "scripts" / f"{name}.py"), *arguments]
    log = cwd.parent / "log"
    log.mkdir(exist_ok=True)
    disk = shlex.quote(str(folder))
    steps = [f"mount -t tmpfs -o size={size}k tmpfs {disk}", f"cd {shlex.quote(str(cwd))}"]
    script = " && ".join(steps) + " || exit 99\n"
    for number, line in enumerate((command, [*command, *again])):
        script += f"{shlex.join(line)} > /dev/null 2> {shlex.quote(str(log / f'errors{number}'))}\n"
        script += f"echo $? > {shlex.quote(str(log / f'code{number}'))}\n"
        script += f"(cd {disk} && find . -type f) > {shlex.quote(str(log / f'files{number}'))}\n"
        script += f"mount -o remount,size=500m {disk}\n"
    done = subprocess.run(["unshare", "-rm", "bash", "-c", script], capture_output=True, text=True, check=False)
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip("this machine lets nobody mount disks")
    read = {path.name: path.read_text() for path in log.iterdir()}
    return [(int(read[f"code{n}"]), read[f"errors{n}"], read[f"files{n}"].split()) for n in (0, 1)]


def check(first, second):
    code, errors, _ = first
    assert code == 2, errors
    assert "Traceback" not in errors, errors
    assert "disk is full" in errors.splitlines()[-1], errors
    assert second[0] == 0, second[1]


def test_a_build_leaves_nothing(tmp_path):
    seeds = f"paths.seeds_dir={ROOT / 'seeds'}"
    first, second = on_small_disk(tmp_path / "data", 100, "build_dataset", seeds, cwd=tmp_path)
    check(first, second)
    assert first[2] == []
    assert "./bundled/manifest.json" in second[2]


@pytest.mark.parametrize("size", [250, 700])
def test_a_training_goes_on_from_its_checkpoints(size, in_workspace, tiny_encoder, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    (in_workspace / "data" / "checkpoints").unlink(missing_ok=True)
    (in_workspace / "data" / "checkpoints").symlink_to(disk)
    arguments = [
        "dataset.name=tiny", "model=minilm", f"model.encoder={tiny_encoder}", "model.sha256=null",
        "model.revision=null", "model.epochs=5", "experiment_name=full", f"seed={size}",
    ]  # fmt: skip
    first, second = on_small_disk(disk, size, "train", *arguments, cwd=in_workspace, again=["resume=true"])
    (in_workspace / "data" / "checkpoints").unlink()
    check(first, second)
    assert any(path.endswith("run_id") for path in first[2])
    assert second[2] == []


@pytest.mark.parametrize("size", [300, 1400])
def test_a_store_on_a_full_disk(size, in_workspace, tmp_path):
    disk = tmp_path / "disk"
    (tmp_path / "work").mkdir()
    arguments = ["dataset.name=tiny", "model=tfidf", f"paths.data_dir={in_workspace / 'data'}", f"seed={size}"]
    first, second = on_small_disk(disk, size, "train", *arguments, cwd=disk)
    check(first, second)
    assert not [path for path in second[2] if "mlflow-unsent" in path]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_scoring_with_a_report_goes_on(ending, tmp_path):
    texts, kinds = zip(
        *((text.format(p), kind) for p in PLACES for kind in TEMPLATES for text in TEMPLATES[kind]), strict=True
    )
    models.save(HashingClassifier().fit(texts, one_hot(kinds)), tmp_path / "model")
    pd.DataFrame({"text": texts * 40}).to_csv(tmp_path / "in.csv", index=False)
    arguments = [f"model_uri={tmp_path / 'model'}", f"input={tmp_path / 'in.csv'}", "chunk_size=500"]
    arguments += [f"output={tmp_path / 'disk'}/out.{ending}", f"report={tmp_path / 'disk'}/report.html"]
    (tmp_path / "work").mkdir()
    first, second = on_small_disk(tmp_path / "disk", 150, "score", *arguments, cwd=tmp_path / "work")
    check(first, second)
    assert f"./out.{ending}" not in first[2]
    assert sorted(second[2]) == [f"./out.{ending}", "./report.html"]
