"""The wrapper around `hydra.main` that every script uses: results go to stdout, errors are one sentence on stderr."""

import contextlib
import importlib
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError

from claimkind.config import (
    SCHEMAS,
    PathsConfig,
    explain,
    field_names,
    nearest,
    register_schemas,
    settings_of_type,
    to_schema,
)
from claimkind.errors import ClaimkindError, first_line, is_disk_full, missing_packages_explained
from claimkind.help import help_text


@runtime_checkable
class Result(Protocol):
    """What the function of a script returns. Its text is printed on stdout; everything else is logged on stderr."""

    def text(self) -> str:
        """One or several lines, without the final newline."""
        ...


COMMANDS: dict[str, str] = {
    "build_dataset": "claimkind.dataset.build:run",
    "train": "claimkind.training.pipeline:run",
    "tune": "claimkind.training.tuning:run",
    "compare": "claimkind.evaluation.compare:run",
    "evaluate": "claimkind.evaluation.saved_model:run",
    "quantize": "claimkind.training.quantization:run",
    "models": "claimkind.evaluation.registered:run",
    "audit_labels": "claimkind.evaluation.audit:run",
    "score": "claimkind.scoring.engine:run",
    "score_spark": "claimkind.scoring.spark:run",
    "benchmark": "claimkind.benchmarks.base:run",
    "ui": "claimkind.tracking.ui:run",
    "fetch_encoder": "claimkind.models.transformer.wheels:run",
    "publish": "claimkind.evaluation.publish:run",
}
"""By script, the function that is called with its configuration, as `module:name`. The module is imported only when
the script starts, since some imports take seconds."""

# Libraries read these when they are first imported.
_ENVIRONMENT = {
    # Nothing leaves the machine unless the user wants it.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    # Scripts print the addresses of their runs themselves.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # The progress bars of short steps would hide those of long ones.
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # MLflow would wait 8 minutes for a server that was stopped: this is some seconds, or 3 minutes if it hangs.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    # Without it each fork of a data loader warns; texts are tokenised before any fork.
    "TOKENIZERS_PARALLELISM": "true",
    # Hydra prints errors in its own form unless this lets them through.
    "HYDRA_FULL_ERROR": "1",
}


_BY_NAME = {"compare": "dataset.name", "benchmark": "benchmark.dataset"}
"""By script the setting that `dataset=NAME` means where it does not choose a file of `configs/dataset/`."""


def command(name: str, config_dir: Path) -> Callable[[], None]:
    """Make the `main` of a script, which composes and checks the configuration, runs, and prints the result.

    Args:
        name: of the script, and of its function in `COMMANDS`, its schema in `SCHEMAS` and its primary configuration.
        config_dir: the folder `configs/`.

    Returns:
        A function without arguments that reads `sys.argv`. Its exit codes: 2 for bad input, 1 for too many rows that
        cannot be scored, 130 for Ctrl-C.
    """
    register_schemas()
    raised: list[ClaimkindError] = []
    composed: list[DictConfig] = []

    def run_job(config: DictConfig) -> None:
        composed.append(config)
        try:
            with _system_errors_explained(), missing_packages_explained():
                _print_result(_function_of(name)(to_schema(config, SCHEMAS[name])))
        except ClaimkindError as error:
            _print_result(error.result)
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                # Raised, so that Hydra marks the job as failed; it goes on with the other jobs.
                print(f"error in job {HydraConfig.get().job.num}: {error}", file=sys.stderr)
                raise
            # Kept for later: if it were raised, Hydra would print lines around it.
            raised.append(error)

    hydra_main = hydra.main(version_base=None, config_path=str(config_dir), config_name=name)(run_job)

    def main() -> None:
        for variable, value in _ENVIRONMENT.items():
            os.environ.setdefault(variable, value)
        arguments = options_first(sys.argv[1:])
        built = register_datasets(arguments, config_dir) if name != "build_dataset" else []
        if {"--help", "-h"} & {*arguments}:
            text = help_text(name, config_dir, arguments, built)
            program = Path(sys.argv[0]).name  # `claimkind train` where the package is installed
            print(text.replace(f"python scripts/{name}.py", program) if " " in program else text)
            return
        with _exit_codes(name):
            sys.argv[1:] = check_arguments(arguments, name)
            _check_processes(name)
            with _composition_errors_explained(composed):
                hydra_main()
            for error in raised:
                raise error

    return main


def overrides(name: str, group: str) -> list[str] | None:
    """The arguments that the running script was given.

    Args:
        name: of the script.
        group: a group of configurations whose choice comes first, even where it is the default.

    Returns:
        The arguments in Hydra's syntax, or None outside of that script.
    """
    if not HydraConfig.initialized() or HydraConfig.get().job.config_name != name:
        return None
    choice = f"{group}={HydraConfig.get().runtime.choices[group]}"
    return [choice, *(given for given in HydraConfig.get().overrides.task if given != choice)]


def build_command(name: str) -> str:
    """The command that builds a dataset which the running script was given.

    Args:
        name: of the dataset, which is taken outside of a script.
    """
    given = [f"dataset={name}"]
    if HydraConfig.initialized() and "dataset" in HydraConfig.get().runtime.choices:
        choice = f"dataset={HydraConfig.get().runtime.choices['dataset']}"
        of_dataset = (
            own for own in HydraConfig.get().overrides.task if re.match(r"\+?(dataset\.|source@dataset\.)", own)
        )
        given = [choice, *of_dataset]
    return shlex.join(["python", "scripts/build_dataset.py", *given])


def defaults_of(group: str) -> tuple[str, dict[str, Any]] | None:
    """The option that the running script uses for a group of configurations, and all its settings without changes.

    Args:
        group: such as `model`.

    Returns:
        The name of the option, and the settings that it has if nothing else is given on the command line; None outside
        of a script that has this group.
    """
    if not HydraConfig.initialized() or not GlobalHydra.instance().is_initialized():
        return None
    running = HydraConfig.get()
    option = running.runtime.choices.get(group)
    if option is None or running.job.config_name is None:
        return None
    composed = hydra.compose(running.job.config_name, overrides=[f"{group}={option}"])
    settings: Any = OmegaConf.to_container(composed, resolve=True)
    return str(option), settings


@contextlib.contextmanager
def _exit_codes(name: str) -> Iterator[None]:
    """Print an error of a script as one sentence, and exit with its code."""
    try:
        yield
    except (ClaimkindError, HydraException, OmegaConfBaseException) as error:
        print(f"error: {explain_error(error, name)}", file=sys.stderr)
        sys.exit(error.exit_code if isinstance(error, ClaimkindError) else 2)
    except KeyboardInterrupt:
        print("stopped by Ctrl-C", file=sys.stderr)
        sys.exit(130)


def _function_of(name: str) -> Callable[[Any], object]:
    module, _, function = COMMANDS[name].partition(":")
    found: Callable[[Any], object] = vars(importlib.import_module(module))[function]
    return found


def _print_result(result: object) -> None:
    if isinstance(result, Result):
        print(result.text(), flush=True)


def _check_processes(name: str) -> None:
    if processes_of_torchrun() > 1 and name != "train":
        raise ClaimkindError(
            f"torchrun started {processes_of_torchrun()} processes, expected one, since only scripts/train.py uses "
            "several: start it with python"
        )


def processes_of_torchrun() -> int:
    """How many processes torchrun started for this command; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def is_main_process() -> bool:
    """Whether this process logs and saves: the first of those that torchrun started, and any other process."""
    return processes_of_torchrun() == 1 or os.environ.get("RANK") == "0"


_NUMBER = re.compile(r"^\s*([+-]?[\d_]+(?:\.[\d_]*)?(?:[eE][+-]?\d+)?)\s*$")
_QUOTED = r'"\1"'


def options_first(arguments: Sequence[str]) -> list[str]:
    """Put Hydra's options in front of the settings, since Hydra takes no settings on both sides of an option."""
    given = [argument for argument in arguments if not argument.startswith("-") and re.match(r"~|[^=]+=", argument)]
    return [*(argument for argument in arguments if argument not in given), *given]


def check_arguments(arguments: Sequence[str], name: str) -> list[str]:
    """Refuse what Hydra would explain in its own terms, and let `dataset=` name a dataset in every script.

    Args:
        arguments: of the command line, options first.
        name: of the script.

    Returns:
        The arguments for Hydra.

    Raises:
        ClaimkindError: an option is unknown, or an argument has no `=`.
    """
    parsed, unknown = get_args_parser().parse_known_args(list(arguments))
    if unknown:
        key, _, value = unknown[0].lstrip("-").partition("=")
        following = next((given for given in parsed.overrides if "=" not in given), "")
        raise ClaimkindError(
            f"unknown option {unknown[0]}; a setting has no dashes: {key.replace('-', '_')}={value or following or '…'}"
        )
    for argument in parsed.overrides:
        if "=" not in argument and not argument.startswith("~"):
            raise ClaimkindError(
                f"the argument {argument!r} has no equals sign, expected setting=value; --help lists the settings"
            )
        if argument.startswith("dataset_name="):
            raise ClaimkindError(f"unknown setting dataset_name; give {argument.replace('_name', '', 1)}")
    renamed = [re.sub(r"^dataset=", f"{_BY_NAME.get(name, 'dataset')}=", argument) for argument in arguments]
    texts, lists = settings_of_type(SCHEMAS[name], str, str | None), settings_of_type(SCHEMAS[name], list[str])
    given = [_as_list(argument) if argument.partition("=")[0] in lists else argument for argument in renamed]
    return [_quote_numbers(argument) if argument.partition("=")[0] in texts | lists else argument for argument in given]


def _as_list(argument: str) -> str:
    """Let a list have one entry without brackets: `distil_from=MODEL`."""
    key, _, value = argument.partition("=")
    return argument if value in ("", "null") or value.startswith("[") else f"{key}=[{value}]"


def _quote_numbers(argument: str) -> str:
    """Keep a text as it is that Hydra would read as a number: the id 0e092322 is 0.0 to it, and the name 007 is 7."""
    key, _, value = argument.partition("=")
    if value.startswith("[") and value.endswith("]") and not re.search("[\"'{}]", value):
        return f"{key}=[{','.join(_NUMBER.sub(_QUOTED, part) for part in value[1:-1].split(','))}]"
    return f"{key}={_NUMBER.sub(_QUOTED, value)}"


def register_datasets(arguments: Sequence[str], config_dir: Path) -> list[str]:
    """Let `dataset=` name datasets that were built, where `configs/dataset/` has no file of that name.

    Args:
        arguments: of the command line, for `paths.data_dir`, `paths.seeds_dir` and `--config-dir`.
        config_dir: the folder `configs/`.

    Returns:
        The names of all that were built.
    """
    given = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    folder = Path(given.get("paths.data_dir", PathsConfig.data_dir).strip("'\""))
    seeds = Path(given.get("paths.seeds_dir", PathsConfig.seeds_dir).strip("'\""))
    built = sorted(path.parent.name for path in folder.glob("*/train.parquet"))
    # All of them: how the dataset was made is not known here, and nothing may learn from a benchmark.
    benchmarks = [str(path) for path in sorted(seeds.glob("benchmarks/*.txt"))]
    own = get_args_parser().parse_known_args(list(arguments))[0].config_dir
    recipes = {path.stem for root in (config_dir, own or config_dir) for path in Path(root).glob("dataset/*.yaml")}
    for name in set(built) - recipes:
        node = {"name": name, "contamination_hashes": benchmarks}
        ConfigStore.instance().store(group="dataset", name=name, node=node)
    return built


@contextlib.contextmanager
def _composition_errors_explained(composed: Sequence[DictConfig]) -> Iterator[None]:
    """Turn the exceptions that Hydra raises for a bad command line into one sentence.

    Args:
        composed: holds a configuration once there is one: later exceptions are not about the command line.
    """
    try:
        yield
    except YAMLError as error:
        place = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        where = f"{place.name}, line {place.line + 1}" if place else "a file of the configuration"
        reason = error.problem if isinstance(error, MarkedYAMLError) else first_line(error)
        raise ClaimkindError(f"{where}: {reason}, expected valid YAML") from None
    except (ClaimkindError, HydraException, OmegaConfBaseException):
        raise
    except Exception as error:
        if "Config group override" in str(error):
            raise ClaimkindError(
                "a configuration group has a number as its value, expected the name of one of its files, as in "
                "model=tfidf"
            ) from None
        if composed:
            raise
        raise ClaimkindError(
            f"the command line cannot be read ({first_line(error)}), expected settings as key=value; --help lists them"
        ) from None


@contextlib.contextmanager
def _system_errors_explained() -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise ClaimkindError(
            f"{error.filename or error} may not be read or written, expected permission: change its permissions or "
            "choose another file"
        ) from None
    except Exception as error:
        if isinstance(error, ClaimkindError) or not is_disk_full(error):
            raise
        raise ClaimkindError(
            f"the disk is full ({first_line(error)}), expected space for the result: free some and run the same again, "
            "a training with resume=true"
        ) from None


def explain_error(error: Exception, name: str) -> str:
    """One sentence for an error of a script: what was found, what was expected and what to do.

    Args:
        error: a `ClaimkindError`, or one of Hydra or OmegaConf.
        name: of the script.
    """
    if isinstance(error, ClaimkindError):
        return str(error)
    cause = error.__cause__ if isinstance(error, ConfigCompositionException) else error
    if isinstance(cause, OmegaConfBaseException):
        return explain(cause, SCHEMAS[name])
    if isinstance(error, MissingConfigException):
        return _unknown_option(error)
    if isinstance(error, OverrideParseException):
        return (
            f"the argument {error.override!r} cannot be read, expected setting=value: a value of more than letters, "
            "digits and ./:-_ is quoted twice, as in 'input=\"my file.csv\"'"
        )
    text = " ".join(str(error).split())
    unknown = re.search(r"Could not override '([^']+)'", text)
    if unknown:
        return f"unknown setting {unknown[1]}; {nearest(unknown[1], field_names(SCHEMAS[name]))}"
    return text.rstrip(".")


def _unknown_option(error: MissingConfigException) -> str:
    group, _, name = str(error.missing_cfg_file or "").rpartition("/")
    options = error.options or []
    if not group:
        return f"there is no configuration {name}, expected that of the script: leave --config-name out"
    if group == "dataset":
        return f"dataset={name} is no recipe in configs/dataset/ and no built dataset; {nearest(name, options)}"
    return f"{group}={name} does not exist; {nearest(name, options)}"
