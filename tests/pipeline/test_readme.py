"""The README and the pages of docs/ keep their promises: commands run, links lead somewhere, nothing is left out.

In a block of `bash` or `console`, each line (in `console` each line after `$`) is a command, which is run on small data
in the order of the page. A comment line `# needs: …` says that the commands below it, up to a blank line or the end of
the block, need more than CI has. Their configuration is composed only, so their settings must exist.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
from hydra import compose, initialize_config_dir

from claimkind.command import check_arguments, register_datasets
from claimkind.config import SCHEMAS, register_schemas, to_schema
from claimkind.io.compression import COMPRESSIONS
from claimkind.io.formats import FORMATS
from tests.conftest import ROOT, run_script
from tests.pipeline.test_demo import wait_for

PAGES = ("README.md", "CONTRIBUTING.md", "docs/scoring.md", "docs/data.md", "docs/evaluation.md", "docs/results.md",
         "docs/architecture.md", "docs/deployment.md", "docs/extending.md")  # fmt: skip
RUN_ELSEWHERE = {  # by the beginning of a command, the test that runs it
    "make demo": "tests/pipeline/test_demo.py",
    "make test": ".ci/run",
    "make install": ".ci/run",
    "source .venv/bin/activate": ".ci/run",
    "pre-commit install": ".ci/run",
    "pip install": "test_an_extra_that_is_installed_exists",
    "mlflow models serve": "test_the_model_answers_the_request_of_the_readme",
    "curl": "test_the_model_answers_the_request_of_the_readme",
    "python scripts/score_spark.py": "test_the_spark_commands_run",
}


class Block(NamedTuple):
    """A fenced block."""

    language: str
    text: str


class Command(NamedTuple):
    """A command of a page."""

    line: str
    output: str
    """What a console block shows of its output."""
    needs: str
    """What it needs that CI does not have; empty if nothing."""


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[Block]:
    fenced = read(page).split("```")[1::2]
    return [Block(language, text) for language, _, text in (code.partition("\n") for code in fenced)]


def block(page: str, language: str, containing: str) -> str:
    """The fenced block in a language that contains a text."""
    found = [text for name, text in blocks(page) if name == language and containing in text]
    assert len(found) == 1, f"{len(found)} {language} blocks of {page} contain {containing!r}"
    return found[0]


def commands(page: str) -> list[Command]:
    found = []
    for language, text in blocks(page):
        if language in ("bash", "console"):
            found += _commands_of(text, prompt="$ " if language == "console" else "")
    return found


def _commands_of(text: str, prompt: str) -> list[Command]:
    found: list[Command] = []
    needs = ""
    for line in text.splitlines():
        if line.startswith("# needs: "):
            needs = line.removeprefix("# needs: ")
        elif not line.strip():
            needs = ""
        elif line.startswith(prompt) and not line.startswith("#"):
            found.append(Command(line.removeprefix(prompt).strip(), "", needs))
        elif prompt:
            found[-1] = found[-1]._replace(output=f"{found[-1].output}{line}\n")
    return found


def script_and_arguments(command: Command) -> tuple[str, list[str]] | None:
    """The script that a command calls and its arguments; None for other commands."""
    found = re.search(r"scripts/(\w+)\.py(.*)", command.line)
    return (found[1], shlex.split(found[2], comments=True)) if found else None


def is_run_elsewhere(command: Command) -> bool:
    return command.line.startswith(tuple(RUN_ELSEWHERE))


ALL = [pytest.param(page, command, id=f"{page}: {command.line}") for page in PAGES for command in commands(page)]
# Those of results.md are many, nearly all on the public dataset, whose configuration is large.
COMPOSED = [pytest.param(*entry.values, id=entry.id, marks=[pytest.mark.slow] * (entry.values[0] == "docs/results.md"))
            for entry in ALL if script_and_arguments(entry.values[1])]  # fmt: skip
OF_SCRIPTS = [entry for entry in ALL if script_and_arguments(entry.values[1])]
RUN_HERE = [page for page in PAGES if any(not c.needs and not is_run_elsewhere(c) for c in commands(page))]
REFUSED = [entry for entry in OF_SCRIPTS if entry.values[1].output.startswith("error: ")]


@pytest.mark.parametrize(("page", "command"), COMPOSED)
def test_the_settings_of_a_command_exist(page, command, tmp_path):
    script, arguments = script_and_arguments(command)
    assert (ROOT / "scripts" / f"{script}.py").is_file()
    if command.output.startswith("error: "):
        return
    # Hydra's own options need more than `compose`, and the reader's own source is not in configs/.
    given = [a for a in arguments if a != "-m" and not a.startswith("hydra/") and "@dataset.sources" not in a]
    given = check_arguments(given, script)
    register_schemas()
    (tmp_path / "mine").mkdir()  # the dataset of the README
    (tmp_path / "mine" / "train.parquet").touch()
    register_datasets([f"paths.data_dir={tmp_path}"], ROOT / "configs")
    with initialize_config_dir(str(ROOT / "configs"), version_base=None):
        to_schema(compose(script, _last_run(given) if "-m" in arguments else given), SCHEMAS[script])


def _last_run(arguments: list[str]) -> list[str]:
    """The arguments of the last run of a multirun."""
    assert not re.search(r"[\[{]", "".join(arguments)), f"a sweep over lists is not understood here: {arguments}"
    return [f"{key}={values.split(',')[-1]}" for key, _, values in (argument.partition("=") for argument in arguments)]


@pytest.mark.parametrize("entry", [entry.values[1] for entry in ALL], ids=[entry.id for entry in ALL])
def test_a_command_is_run_or_says_what_it_needs(entry):
    known = entry.needs or is_run_elsewhere(entry) or script_and_arguments(entry)
    assert known, f"{entry.line!r} is run by no test: add it to RUN_ELSEWHERE, or say what it needs"


@pytest.mark.parametrize(("page", "command"), REFUSED)
def test_a_wrong_setting_is_refused_as_shown(page, command, tmp_path):
    script, arguments = script_and_arguments(command)
    done = run_script(script, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, command.output)


@pytest.mark.parametrize(("page", "command"), [e for e in ALL if e.values[1].line.startswith("pip install -e")])
def test_an_extra_that_is_installed_exists(page, command):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.search(r"\[(.+)\]", command.line)[1].split(",")) <= set(extras)


class Project(NamedTuple):
    """A folder as it is after `make demo`, on small data, with the reader's own data of the README."""

    folder: Path
    encoder: Path
    done: set[str]
    """Commands that were run in it, which need not be run again."""


@pytest.fixture(scope="module")
def project(seeds, tiny_encoder, tmp_path_factory) -> Project:
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(seeds, folder / "seeds")
    (folder / "my_data").mkdir()
    (folder / "my_data" / "reviews.csv").write_text(block("README.md", "csv", "article,sentence,kind"))
    source = folder / "configs" / "source" / "reviews.yaml"
    source.parent.mkdir(parents=True)
    source.write_text(block("README.md", "yaml", "own_labels"))
    makefile = (ROOT / "Makefile").read_text()
    demo = re.findall(r"\$\(BIN\)/python scripts/(.+)", makefile.partition("\ndemo:")[2].partition("\n\n")[0])
    assert len(demo) >= 5, "the commands of `make demo` are not found in the Makefile"
    result = Project(folder, tiny_encoder, set())
    for line in demo:
        if "FOLDER" not in line:  # what the last lines of the demo suggest
            command = Command(f"python scripts/{line.replace('$(ARTICLE)', 'seeds/documents/article.md')}", "", "")
            assert execute(command, result).returncode == 0
    return result


def execute(command: Command, project: Project) -> subprocess.CompletedProcess[str]:
    """Run a command of a script on small data.

    The small seeds are nearly the same sentences, which must not become one group; the encoder is a tiny one.
    """
    script, arguments = script_and_arguments(command)
    extra = []
    if script == "build_dataset":
        extra = ["dataset.near_duplicate_threshold=1", f"--config-dir={project.folder / 'configs'}"]
    if script == "train" and ("model=minilm" in arguments or not any(a.startswith("model=") for a in arguments)):
        extra = [f"model.encoder={project.encoder}", "model.epochs=2"]
    if script == "tune":
        extra = ["trials=2"]
    project.done.add(command.line)
    return run_script(script, *arguments, *extra, cwd=project.folder)


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN_HERE)
def test_the_commands_of_a_page_run_in_order(page, project):
    failed = []
    for command in commands(page):
        refused = command.output.startswith("error: ")
        if not (command.needs or is_run_elsewhere(command) or refused or command.line in project.done):
            done = execute(command, project)
            if done.returncode:
                failed.append(f"{command.line}\n  {done.stderr.strip().splitlines()[-1:]}")
    assert not failed, "\n".join(failed)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/scoring.md"])
def test_the_python_examples_run(page, project):
    (code,) = [text for language, text in blocks(page) if language == "python"]
    show = "\nprint(model.score('It may rain.').columns)"
    done = subprocess.run([sys.executable, "-c", code + show], cwd=project.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "p_speculative" in done.stdout


@pytest.mark.slow
def test_the_model_answers_the_request_of_the_readme(project):
    import urllib.request

    lines = {c.line.split()[0]: c.line for c in commands("README.md") if c.line.startswith(("mlflow", "curl"))}
    serve, curl = (shlex.split(lines[name].replace("5001", "5098")) for name in ("mlflow", "curl"))
    address, header, body = curl[1], curl[curl.index("-H") + 1], curl[curl.index("-d") + 1]
    folder = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    server = subprocess.Popen(
        [str(folder / serve[0]), *serve[1:]], cwd=project.folder, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        name, _, value = header.partition(": ")
        answer = wait_for(urllib.request.Request(address, body.encode(), {name: value}), server)  # noqa: S310
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)
    assert set(answer["predictions"][0]) == {"label", "confidence", "p_factual", "p_speculative", "p_opinion"}


@pytest.mark.spark
@pytest.mark.parametrize(
    ("page", "command"), [e for e in OF_SCRIPTS if "score_spark" in e.id and not e.values[1].needs]
)
def test_the_spark_commands_run(page, command, project):
    done = execute(command, project)
    assert done.returncode == 0, done.stderr


def test_the_example_of_own_data_works_as_written(seeds, tmp_path):
    (tmp_path / "my_data").mkdir()
    (tmp_path / "my_data" / "reviews.csv").write_text(block("README.md", "csv", "article,sentence,kind"))
    source = tmp_path / "configs" / "source" / "reviews.yaml"
    source.parent.mkdir(parents=True)
    source.write_text(block("README.md", "yaml", "own_labels"), encoding="utf-8")
    (command,) = [c for c in commands("README.md") if "scripts/build_dataset.py dataset.name=mine" in c.line]
    arguments = [f"--config-dir={source.parents[1]}", f"paths.seeds_dir={seeds}", "dataset.near_duplicate_threshold=1"]
    run_script("build_dataset", *arguments, *script_and_arguments(command)[1], cwd=tmp_path, check=True)
    manifest = json.loads((tmp_path / "data" / "mine" / "manifest.json").read_text())
    assert sum(manifest["rows"].values()) == 12 * 15 + 10 * 3 + 2 * 12 + 9
    assert "| reviews | 3 | 3 | 3 | 9 |" in (tmp_path / "data" / "mine" / "README.md").read_text()


def test_the_tree_names_every_folder_and_script():
    # Not every module: to add a model family or a corpus must not mean to edit this page.
    tree = block("docs/architecture.md", "", "scripts/ ")
    roots = [ROOT / "scripts", ROOT / "configs", ROOT / "src/claimkind"]
    folders = [path.name for root in roots for path in root.rglob("*") if path.is_dir() and "__" not in path.name]
    files = [path.stem for root in roots for path in root.iterdir() if path.suffix in {".py", ".yaml"}]
    names = {f"{name}/" for name in folders} | set(files) - {"__init__", "__main__"}
    missing = sorted(name for name in names if not re.search(rf"\b{name}", tree))
    assert not missing, f"the tree in docs/architecture.md lacks {', '.join(missing)}"


def test_every_dependency_has_a_reason():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    names = {re.match(r"[\w-]+", entry)[0] for entry in wanted} - {"claimkind"}
    reasons = read("docs/architecture.md").partition("## Dependencies")[2]
    missing = sorted(name for name in names if f"`{name}`" not in reasons)
    assert not missing, f"docs/architecture.md gives no reason for {', '.join(missing)}"


def test_every_place_that_deletes_is_listed_with_a_test():
    section = read("docs/architecture.md").partition("## What is deleted")[2].partition("\n## ")[0]
    deletes = re.compile(r"\b(?:rmtree|unlink|rmdir|removedirs)\(|\bos\.remove\(")
    package = ROOT / "src" / "claimkind"
    places = [path for path in package.rglob("*.py") if deletes.search(path.read_text(encoding="utf-8"))]
    assert {f"`{path.relative_to(package).as_posix()}`" for path in places} <= set(re.findall("`[^`]+`", section))
    named = re.findall(r"`((?:unit|faults|pipeline)/[\w/]+\.py)`", section)
    assert named and not [name for name in named if not (ROOT / "tests" / name).is_file()]


def test_every_test_that_a_page_names_exists():
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = {name for path in (ROOT / "docs").glob("*.md") for name in re.findall(r"`(test_\w+)`", path.read_text())}
    assert len(named) > 80
    missing = sorted(named - set(re.findall(r"def (test_\w+)\(", tests)))
    assert not missing, f"there is no {', '.join(missing)}"


def test_every_file_ending_is_documented():
    page = read("docs/scoring.md")
    missing = [ending for ending in (*FORMATS, *COMPRESSIONS) if f"`{ending}`" not in page]
    assert not missing, f"docs/scoring.md lacks {', '.join(missing)}"


def test_the_readme_is_short():
    assert len(read("README.md").splitlines()) <= 200


LINKS = [(page, link) for page in (*PAGES, "docs/faults.md", "CHANGELOG.md", "seeds/README.md", "data/README.md")
         for link in re.findall(r"\]\(([^):\s]+)\)", read(page))]  # fmt: skip


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_links_lead_somewhere(page, link):
    name, _, section = link.partition("#")
    target = (ROOT / page).parent / name if name else ROOT / page
    assert target.exists()
    if section:
        headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        assert section in {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}
