"""The wheel outside of this repository, and the versions that an installation gets."""

import importlib.metadata
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from claimkind import models
from claimkind.labels import LABELS, one_hot
from claimkind.models.tfidf import TfidfClassifier
from tests.conftest import PLACES, ROOT, TEMPLATES

_NO_NETWORK = """
import socket

def _refuse(*_):
    raise OSError("the test forbids the network")

socket.socket.connect = socket.getaddrinfo = _refuse
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory) -> Path:
    """An environment that holds the wheel without extras, and cannot reach the network."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "pip"), "install", "--quiet", "-c", str(ROOT / "constraints.txt"), str(wheel)]
    subprocess.run(pip, check=True, capture_output=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "no_network.py").write_text(_NO_NETWORK)
    (packages / "no_network.pth").write_text("import no_network\n")
    return folder


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    texts = [template.format(place) for label in LABELS for template in TEMPLATES[label] for place in PLACES]
    models.save(TfidfClassifier().fit(texts, one_hot(np.repeat(LABELS, len(texts) // 3).tolist())), folder)
    return folder


def run(environment: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(environment / "bin" / "claimkind"), *arguments]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_wheel_holds_every_configuration(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    missing = {f"claimkind/{path.relative_to(ROOT)}" for path in (ROOT / "configs").rglob("*.yaml")} - names
    assert not missing


@pytest.mark.slow
def test_a_saved_model_scores_a_text_without_the_extras(environment, model_folder, tmp_path):
    (tmp_path / "news.txt").write_text("The council of Arden met on Monday. It may meet again.")
    done = run(environment, tmp_path, "score", "input=news.txt", "output=scored.csv", f"model_uri={model_folder}")
    assert done.returncode == 0, done.stderr
    assert "2 sentences" in done.stdout
    assert len((tmp_path / "scored.csv").read_text().splitlines()) == 3


@pytest.mark.slow
def test_a_package_of_an_extra_is_asked_for(environment, tmp_path):
    done = run(environment, tmp_path, "train", "model=tfidf")
    assert (done.returncode, done.stderr) == (
        2,
        "error: mlflow is not installed, expected the extra train: pip install 'claimkind[train]'\n",
    )


@pytest.mark.parametrize("arguments", [["traain"], ["train.py"]])
def test_an_unknown_subcommand_is_refused(arguments, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "claimkind", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (
        2,
        f"error: unknown subcommand {arguments[0]!r}; did you mean train?\n",
    )


def test_a_subcommand_runs_the_script_of_its_name(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "claimkind", "score", "input=nothing.txt", "output=o.csv", f"model_uri={tmp_path}"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "nothing.txt" in done.stderr


def test_constraints_hold_the_version_of_every_package_that_is_installed():
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
    pinned = {canonicalize_name(name): version for name, version in pinned.items()}
    needed = {name: importlib.metadata.version(name) for name in _with_dependencies("claimkind", {"dev"})}
    needed.pop("claimkind")
    wrong = {name: version for name, version in needed.items() if pinned.get(name) != version.partition("+")[0]}
    assert not wrong, "constraints.txt pins other versions, or none"


def _with_dependencies(name: str, extras: set[str]) -> set[str]:
    """A package and all that it needs, directly or through others."""
    todo, found = [(name, frozenset(extras))], set()
    while todo:
        entry = todo.pop()
        if entry not in found:
            found.add(entry)
            wanted = [Requirement(line) for line in importlib.metadata.requires(entry[0]) or []]
            todo += [
                (canonicalize_name(requirement.name), frozenset(requirement.extras))
                for requirement in wanted
                if not requirement.marker or any(requirement.marker.evaluate({"extra": e}) for e in {"", *entry[1]})
            ]
    return {name for name, _ in found}
