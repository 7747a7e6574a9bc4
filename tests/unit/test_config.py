import ast
import importlib
import inspect
import itertools
import re
import shlex
import subprocess
import sys
import textwrap
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import MissingConfigException
from omegaconf import OmegaConf

from claimkind.command import COMMANDS, check_arguments, command, options_first, register_datasets
from claimkind.config import SCHEMAS, DatasetConfig, PathsConfig, build, register_schemas, to_schema
from claimkind.errors import ClaimkindError
from tests.conftest import ROOT, run_script

CONFIGS = ROOT / "configs"
FILES = sorted(path.relative_to(CONFIGS).with_suffix("").as_posix() for path in CONFIGS.rglob("*.yaml"))
# The script that a group's files are composed into, and the values that its schema demands.
SCRIPT_OF_GROUP = {
    "model": "train",
    "experiment": "train",
    "dataset": "build_dataset",
    "runtime": "train",
    "benchmark": "benchmark",
    "probe": "evaluate",
    "search": "tune",
}
DEMANDED = {"score": ["input=x", "output=y"], "score_spark": ["input=x", "output=y"], "audit_labels": ["output=z.csv"],
            "publish": ["repo_id=me/it"]}  # fmt: skip
PACKAGES = {
    "model": "claimkind.models",
    "source": "claimkind.dataset",
    "benchmark": "claimkind.benchmarks",
    "probe": "claimkind.evaluation",
}


def composed(name: str, *overrides: str):
    register_schemas()
    with initialize_config_dir(str(CONFIGS), version_base=None):
        return compose(name, [*DEMANDED.get(name, []), *overrides])


@pytest.mark.parametrize("file", FILES)
def test_every_yaml_file_composes_and_builds(file):
    group, _, name = file.rpartition("/")
    if group == "source":
        script, overrides = "build_dataset", [f"+source@dataset.sources.added={name}"]
    elif group:
        script, overrides = SCRIPT_OF_GROUP[group], [f"{group}={name}"]
    else:
        script, overrides = name, []
    config = to_schema(composed(script, *overrides), SCHEMAS[script])
    for key, source in getattr(getattr(config, "dataset", None), "sources", {}).items():
        build(source, key, PACKAGES["source"])
    for part in ("model", "benchmark", "probe"):
        if getattr(config, part, None):
            build(getattr(config, part), part, PACKAGES[part])


@pytest.mark.parametrize(
    ("script", "override", "key", "value"),
    [
        ("train", "source_weights={babe: 0}", "source_weights", {"babe": 0}),
        ("train", "evidence_sources.babe=0.5", "evidence_sources", {"babe": 0.5}),
        ("score_spark", "spark={spark.executor.memory: 4g}", "spark", {"spark.executor.memory": "4g"}),
    ],
)
def test_mappings_take_keys_that_the_user_chooses(script, override, key, value):
    assert getattr(to_schema(composed(script, override), SCHEMAS[script]), key) == value


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["model=3"], "a configuration group has a number as its value, expected the name of one of its files"),
        (["model=tfdf"], "model=tfdf does not exist; did you mean tfidf?"),
        (["experiment=studnt"], "experiment=studnt does not exist; did you mean student or mpnet_student?"),
        (
            ["dataset=bundeld"],
            "dataset=bundeld is no recipe in configs/dataset/ and no built dataset; did you mean bund",
        ),
        (["--seed=1"], "unknown option --seed=1; a setting has no dashes: seed=1"),
        (["--run-name", "x"], "unknown option --run-name; a setting has no dashes: run_name=x"),
        (["dataset_name=x"], "unknown setting dataset_name; give dataset=x"),
        (["sead=1"], "unknown setting sead; did you mean seed?"),
        (["+sead=1"], "unknown setting sead; did you mean seed?"),
        (["+dataset.nam=x"], "unknown setting dataset.nam; did you mean name?"),
        (["data_dir=x"], "unknown setting data_dir; did you mean paths.data_dir?"),
        (["+data_dir=x"], "unknown setting data_dir; did you mean paths.data_dir?"),
        (["paths.dta_dir=x"], "unknown setting paths.dta_dir; did you mean data_dir"),
        (["learning_rate=1"], "unknown setting learning_rate; did you mean model.learning_rate?"),
        (["seed=abc"], "seed has a wrong value: value 'abc' of type 'str' could not be converted to Integer"),
        (["model.epochss=3"], "unknown setting model.epochss; did you mean epochs?"),
        (["+model.epochss=3"], "unknown setting model.epochss; did you mean epochs?"),
        (["model.epochs=many"], "model.epochs has a wrong value: value 'many' of type 'str' could not be converted"),
        (["model.precision=fp8"], "model.precision is 'fp8', expected one of auto, bf16, fp32"),
        (["model._target_=os.system"], "model._target_ is 'os.system', expected a class in claimkind.models"),
        (["seed"], "the argument 'seed' has no equals sign, expected setting=value; --help lists the settings"),
        (["run_name=a(b"], "the argument 'run_name=a(b' cannot be read, expected setting=value"),
    ],
)
def test_a_wrong_argument_is_one_sentence_that_names_the_key(arguments, sentence, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["train.py", *arguments])
    with pytest.raises(SystemExit) as left:
        command("train", CONFIGS)()
    error = capsys.readouterr().err.strip()
    assert left.value.code == 2
    assert error.startswith(f"error: {sentence}")
    assert "\n" not in error


def test_a_probe_that_does_not_exist_is_refused():
    with pytest.raises(MissingConfigException, match="subjj"):
        composed("evaluate", "probe=subjj")


def test_a_file_without_permission_is_one_sentence(capsys, monkeypatch, tmp_path):
    def run(config):
        raise PermissionError(13, "Permission denied", "secret.csv")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("claimkind.training.pipeline.run", run)
    monkeypatch.setattr("sys.argv", ["train.py"])
    with pytest.raises(SystemExit):
        command("train", CONFIGS)()
    assert capsys.readouterr().err.startswith("error: secret.csv may not be read or written, expected permission")


def test_a_script_fails_with_a_sentence_and_no_traceback(tmp_path):
    done = run_script("score", "input=missing.txt", "output=out.parquet", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.strip() == "error: missing.txt does not exist, expected a file or a folder: check the path"


def test_a_mandatory_value_that_is_missing_is_named(tmp_path):
    done = run_script("score", "output=out.parquet", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.strip() == "error: input has no value, expected one: give it on the command line as input=…"


@pytest.mark.parametrize("script", ["train", "tune", "compare", "evaluate"])
def test_the_experiment_of_the_environment_is_taken(script, monkeypatch):
    assert to_schema(composed(script), SCHEMAS[script]).experiment_name == "claimkind"
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "trials")
    assert to_schema(composed(script), SCHEMAS[script]).experiment_name == "trials"
    assert to_schema(composed(script, "experiment_name=e"), SCHEMAS[script]).experiment_name == "e"


EMPTY = [
    ("score", ["input=", "output=o.csv"], "input"),
    ("score", ["input=' '", "output=o.csv"], "input"),
    ("score", ["input=i.csv", "output="], "output"),
    ("score", ["input=i.csv", "output=o.csv", "model_uri="], "model_uri"),
    ("evaluate", ["model_uri="], "model_uri"),
    ("train", ["paths.data_dir="], "paths.data_dir"),
    ("build_dataset", ["paths.corpora_dir="], "paths.corpora_dir"),
    ("train", ["experiment_name="], "experiment_name"),
]


@pytest.mark.parametrize(("script", "arguments", "key"), EMPTY)
def test_an_empty_text_is_no_value(script, arguments, key):
    with pytest.raises(ClaimkindError, match=f"^{key} has no value, expected one: give it on the command line as"):
        to_schema(composed(script, *arguments), SCHEMAS[script])


def test_an_empty_text_is_null_where_null_is_allowed():
    config = to_schema(composed("train", "init_from=", "run_name="), SCHEMAS["train"])
    assert (config.init_from, config.run_name) == (None, None)
    scoring = to_schema(composed("score", "input=i", "output=o", "report=", "separator='\t'"), SCHEMAS["score"])
    assert (scoring.report, scoring.separator) == (None, "\t")


def test_a_list_of_paths_holds_no_empty_one():
    with pytest.raises(ClaimkindError, match=r"^dataset\.corrections holds an empty value, expected none: leave"):
        to_schema(composed("build_dataset", "dataset.corrections=['']"), SCHEMAS["build_dataset"])


def test_an_empty_setting_of_a_model_or_a_source_is_no_value():
    source = to_schema(composed("build_dataset", "dataset.sources.documents.documents="), SCHEMAS["build_dataset"])
    with pytest.raises(ClaimkindError, match=r"^source\.documents has no value"):
        build(source.dataset.sources["documents"], "source", "claimkind.dataset.sources")
    model = to_schema(composed("train", "model.encoder="), SCHEMAS["train"])
    with pytest.raises(ClaimkindError, match=r"^model\.encoder has no value"):
        build(model.model, "model", "claimkind.models")


def test_an_empty_input_leaves_the_working_folder_alone(tmp_path):
    (tmp_path / "private.txt").write_text("Nobody pointed at this file.")
    done = run_script("score", "input=", "output=out.csv", cwd=tmp_path)
    assert done.stderr == "error: input has no value, expected one: give it on the command line as input=…\n"
    assert [path.name for path in tmp_path.iterdir()] == ["private.txt"]


def test_a_configuration_that_is_no_yaml_names_file_and_line(tmp_path):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "broken.yaml").write_text("name: broken\n  sources: {}\n")
    done = run_script("build_dataset", f"--config-dir={tmp_path}", "dataset=broken", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: {tmp_path}/dataset/broken.yaml, line 2: mapping values are not allowed here, expected valid YAML\n"
    )


@pytest.mark.parametrize(
    ("script", "argument", "expected"),
    [
        ("compare", "runs=[0e092322,12345678]", ["0e092322", "12345678"]),
        ("compare", "runs=[tfidf,1e5]", ["tfidf", "1e5"]),
        ("train", "run_name=007", "007"),
        ("train", "distil_from=models:/claimkind@champion", ["models:/claimkind@champion"]),
    ],
)
def test_texts_and_lists_of_texts_may_be_given_as_they_are(script, argument, expected):
    config = composed(script, *check_arguments([argument], script))
    assert to_schema(config, SCHEMAS[script]).__dict__[argument.partition("=")[0]] == expected


def test_several_processes_of_torchrun_are_refused_where_they_do_not_train(capsys, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr("sys.argv", ["score.py", "input=in.txt", "output=out.csv"])
    with pytest.raises(SystemExit) as stopped:
        command("score", CONFIGS)()
    assert stopped.value.code == 2
    assert capsys.readouterr().err.startswith("error: torchrun started 2 processes, expected one")


def test_an_unknown_primary_configuration_is_named(tmp_path):
    done = run_script("train", "--config-name", "nope", cwd=tmp_path)
    assert done.stderr == (
        "error: there is no configuration nope, expected that of the script: leave --config-name out\n"
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["model=tfidf", "-m", "seed=0,1"], ["-m", "model=tfidf", "seed=0,1"]),
        (["a=1", "--config-dir", "x", "~b", "--cfg=job"], ["--config-dir", "x", "--cfg=job", "a=1", "~b"]),
        (["--multirun", "a=1", "+b=2"], ["--multirun", "a=1", "+b=2"]),
    ],
)
def test_settings_may_stand_on_both_sides_of_an_option(given, expected):
    assert options_first(given) == expected


def test_dataset_names_a_built_dataset_where_there_is_no_recipe(tmp_path, seeds):
    for name in ("bundled", "mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.parquet").write_text("")
    assert register_datasets([f"paths.data_dir={tmp_path}", f"paths.seeds_dir={seeds}"], CONFIGS) == ["bundled", "mine"]
    mine = to_schema(composed("train", "dataset=mine"), SCHEMAS["train"]).dataset
    assert mine == DatasetConfig(name="mine", contamination_hashes=[f"{seeds}/benchmarks/behaviour.txt"])
    assert "documents" in to_schema(composed("train", "dataset=bundled"), SCHEMAS["train"]).dataset.sources


def test_dataset_names_the_dataset_of_runs_in_compare():
    given = check_arguments(["-m", "dataset=a,b", "promote=true"], "compare")
    assert given == ["-m", "dataset.name=a,b", "promote=true"]
    assert to_schema(composed("compare", "dataset.name=b"), SCHEMAS["compare"]).dataset.name == "b"


@pytest.mark.slow
def test_the_command_that_a_missing_dataset_names_builds_it(seeds, tmp_path):
    """It is run as it is printed, and the dataset then has the name that is given everywhere."""
    (tmp_path / "configs" / "dataset").mkdir(parents=True)
    (tmp_path / "configs" / "dataset" / "tiny.yaml").write_text(
        "defaults:\n  - /source@sources.documents: documents\n  - _self_\nname: tiny\nnear_duplicate_threshold: 1\n"
    )
    where = [f"paths.seeds_dir={seeds}", f"--config-dir={tmp_path / 'configs'}"]
    missing = run_script("train", "dataset=tiny", "dataset.name=other", "model=tfidf", *where, cwd=tmp_path)
    (named,) = re.findall(r"build it with `python scripts/build_dataset.py (.+)`", missing.stderr)
    built = run_script("build_dataset", *shlex.split(named), *where, cwd=tmp_path)
    assert built.returncode == 0, built.stderr
    composed = run_script("train", "--cfg=job", "dataset=other", *where, cwd=tmp_path)
    assert "  name: other\n" in composed.stdout


@pytest.mark.slow
def test_a_multirun_goes_on_after_a_job_that_fails(in_workspace):
    done = run_script("train", "-m", "model=tfidf", "model.C=x,1", "dataset=tiny", cwd=in_workspace)
    assert "error in job 0: model.C has a wrong value" in done.stderr
    assert "run tfidf · tiny" in done.stdout
    assert done.returncode == 2


def test_a_script_finds_its_configurations_through_a_link(tmp_path):
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    arguments = ["input=none.txt", "output=out.csv", f"model_uri={tmp_path}"]
    done = subprocess.run(
        [sys.executable, str(tmp_path / "scripts" / "score.py"), *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.startswith("error: none.txt does not exist"), done.stderr


def test_every_script_has_a_function_a_schema_and_a_primary_configuration():
    names = {path.stem for path in (ROOT / "scripts").glob("*.py")}
    assert names == set(COMMANDS) == set(SCHEMAS) == {path.stem for path in CONFIGS.glob("*.yaml")}
    for target in COMMANDS.values():
        module, _, function = target.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_the_schema_is_checked_again_behind_hydra():
    config = composed("train")
    OmegaConf.set_struct(config, False)
    OmegaConf.update(config, "sead", 1, force_add=True)
    with pytest.raises(ClaimkindError, match="unknown setting sead"):
        to_schema(config, SCHEMAS["train"])


@pytest.mark.parametrize("schema", [*SCHEMAS.values(), DatasetConfig, PathsConfig])
def test_every_setting_has_a_docstring(schema):
    tree = ast.parse(textwrap.dedent(inspect.getsource(schema)))
    documented = {
        entry.target.id
        for entry, following in itertools.pairwise(tree.body[0].body)
        if isinstance(entry, ast.AnnAssign) and isinstance(following, ast.Expr)
    }
    inherited = {entry.name for base in schema.__bases__ if is_dataclass(base) for entry in fields(base)}
    assert {entry.name for entry in fields(schema)} - inherited == documented


@pytest.mark.parametrize("nulls", [[], ["model.revision=null", "model.sha256=null"]])
def test_another_encoder_on_the_command_line_has_no_pin_of_the_default_one(nulls):
    config = to_schema(composed("train", "model.encoder=another/encoder", *nulls), SCHEMAS["train"])
    settings = build(config.model, "model", PACKAGES["model"]).settings
    assert (settings.encoder, settings.revision, settings.sha256) == ("another/encoder", None, None)


@pytest.mark.parametrize("file", [name for name in FILES if name.startswith("model/")])
def test_model_files_give_the_seed_of_the_run(file):
    config = to_schema(composed("train", f"model={Path(file).name}", "seed=7"), SCHEMAS["train"])
    assert config.model["seed"] == 7
