import re
import shlex
import shutil
from dataclasses import fields, is_dataclass

import pytest

from claimkind.command import COMMANDS, command
from claimkind.config import SCHEMAS, to_schema
from claimkind.help import description, examples, help_text
from tests.conftest import ROOT
from tests.unit.test_config import composed

CONFIGS = ROOT / "configs"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_every_setting_with_its_meaning(name):
    text = help_text(name, CONFIGS, [])
    groups = re.findall(r"^(\w+)=\S+ is the default", text, re.MULTILINE)
    for field in fields(SCHEMAS[name]):
        if field.name in groups:
            continue
        nested = is_dataclass(field.type) and field.type.__name__ != "DatasetNameConfig"
        for key in [f"{field.name}.{own.name}" for own in fields(field.type)] if nested else [field.name]:
            assert re.search(rf"^  {re.escape(key)}=.*\n      \w", text, re.MULTILINE), f"{key} has no meaning"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_begins_with_what_the_script_does(name):
    assert re.match(r"[A-Z][a-z]+ .{20,}\.", help_text(name, CONFIGS, []).split("\n\n")[1], re.DOTALL)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_three_examples_whose_settings_exist(name):
    found = examples(name, CONFIGS)
    assert len(found) == 3 or len(fields(SCHEMAS[name])) == 1
    for example in found:
        _, script, *arguments = shlex.split(example)
        assert script == f"scripts/{name}.py"
        own_source = [argument for argument in arguments if "@dataset.sources" not in argument and argument != "-m"]
        single = [re.sub(r"=([^{\[]*),.*", r"=\1", argument) for argument in own_source]
        renamed = [re.sub("^dataset=mine$", "dataset.name=mine", argument) for argument in single]
        if name == "compare":
            renamed = [re.sub("^dataset=", "dataset.name=", argument) for argument in renamed]
        to_schema(composed(name, *renamed), SCHEMAS[name])


CHOICES = [path for path in sorted(CONFIGS.glob("*/*.yaml")) if path.parent.name not in ("runtime", "paths")]


@pytest.mark.parametrize("path", CHOICES, ids=[f"{path.parent.name}/{path.stem}" for path in CHOICES])
def test_every_choice_of_a_group_has_a_description(path):
    assert len(description(path).split()) > 2


def test_choices_are_listed_with_the_built_datasets():
    text = help_text("train", CONFIGS, [], ["bundled", "mine"])
    assert re.search(r"^  tfidf +The baseline: trains in seconds", text, re.MULTILINE)
    assert re.search(r"^  mine +built before", text, re.MULTILINE)
    assert len(re.findall(r"^  bundled ", text, re.MULTILINE)) == 1


def test_the_settings_of_a_chosen_file_have_the_values_of_that_file():
    text = help_text("train", CONFIGS, ["model=tfidf"])
    assert "  model.C=3.0\n      Inverse strength of the regularisation" in text
    assert "model.seed=…  (that of seed)" in text
    assert "Settings of model" not in help_text("train", CONFIGS, [])


def test_a_file_without_settings_is_described_like_any_other(tmp_path):
    configs = shutil.copytree(CONFIGS, tmp_path / "configs")
    (configs / "model" / "empty.yaml").write_text("# A family that is planned.\n")
    assert "  empty " in help_text("train", configs, ["model=empty"])


def test_the_only_group_of_a_script_shows_its_settings():
    assert "  dataset.split_seed=0\n      Seed of" in help_text("build_dataset", CONFIGS, [])


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_is_printed_instead_of_running(option, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["score.py", "input=x", option])
    command("score", CONFIGS)()
    printed = capsys.readouterr()
    assert printed.out.startswith("python scripts/score.py [setting=value …]")
    assert "input=…  (required)" in printed.out
    assert "Hydra" in printed.out.splitlines()[-1]
    assert printed.err == ""
