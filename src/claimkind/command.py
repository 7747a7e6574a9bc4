"""The wrapper around `hydra.main` that every script uses: results go to stdout, errors are one sentence on stderr."""

import contextlib
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from claimkind.config import SCHEMAS, explain, field_names, nearest, register_schemas, to_schema
from claimkind.errors import ClaimkindError


@runtime_checkable
class Result(Protocol):
    """What a script's function returns: what it was called for, which goes to stdout. Everything else is logged."""

    def text(self) -> str:
        """The lines to print."""
        ...


COMMANDS: dict[str, str] = {
    "build_dataset": "claimkind.dataset.build:run",
    "train": "claimkind.training.pipeline:run",
    "tune": "claimkind.training.tuning:run",
    "compare": "claimkind.evaluation.compare:run",
    "evaluate": "claimkind.evaluation.saved_model:run",
    "audit_labels": "claimkind.evaluation.audit:run",
    "score": "claimkind.scoring.engine:run",
    "score_spark": "claimkind.scoring.spark:run",
    "benchmark": "claimkind.benchmarks.base:run",
}
"""By script, the function that it calls with its checked configuration, as `module:name`. It is imported when the
script starts and not before, so that importing this module stays fast."""

# Libraries read these when they are first imported.
_ENVIRONMENT = {
    # Nothing leaves the machine unless the user asks for it.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # Progress bars of steps that take a moment hide those of steps that take long.
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # The workers of a data loader would warn at each fork; texts are tokenised before any fork.
    "TOKENIZERS_PARALLELISM": "true",
    # Hydra prints errors in a form of its own unless this lets them through.
    "HYDRA_FULL_ERROR": "1",
}


def command(name: str, config_dir: Path) -> Callable[[], None]:
    """Make the `main` of a script: compose the configuration, check it, run, print the result.

    Args:
        name: of the script: of its function in `COMMANDS`, its schema in `SCHEMAS` and its primary configuration.
        config_dir: the folder `configs/`.

    Returns:
        A function without arguments that reads `sys.argv`. It exits with 2 on bad input, 1 on too many bad rows, 130
        on Ctrl-C.
    """
    register_schemas()
    raised: list[ClaimkindError] = []

    def checked(config: DictConfig) -> None:
        try:
            with _permission_errors_explained():
                _show(_function_of(name)(to_schema(config, SCHEMAS[name])))
        except ClaimkindError as error:
            _show(error.result)
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                # Raised, so that Hydra marks the job as failed; it goes on with the others.
                print(f"error in job {HydraConfig.get().job.num}: {error}", file=sys.stderr)
                raise
            # Kept, not raised: Hydra would print lines of its own around it.
            raised.append(error)

    hydra_main = hydra.main(version_base=None, config_path=str(config_dir), config_name=name)(checked)

    def main() -> None:
        for variable, value in _ENVIRONMENT.items():
            os.environ.setdefault(variable, value)
        try:
            with _group_errors_explained():
                hydra_main()
            for error in raised:
                raise error
        except (ClaimkindError, HydraException, OmegaConfBaseException) as error:
            print(f"error: {sentence_of(error, name)}", file=sys.stderr)
            sys.exit(error.exit_code if isinstance(error, ClaimkindError) else 2)
        except KeyboardInterrupt:
            print("stopped by Ctrl-C", file=sys.stderr)
            sys.exit(130)

    return main


def _function_of(name: str) -> Callable[[Any], object]:
    module, _, function = COMMANDS[name].partition(":")
    found: Callable[[Any], object] = vars(importlib.import_module(module))[function]
    return found


def _show(result: object) -> None:
    if isinstance(result, Result):
        print(result.text(), flush=True)


@contextlib.contextmanager
def _group_errors_explained() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        if "Config group override" not in str(error):
            raise
        raise ClaimkindError(
            "a group of configurations is given a number, expected the name of one of its files, as in model=tfidf"
        ) from None


@contextlib.contextmanager
def _permission_errors_explained() -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise ClaimkindError(
            f"{error.filename or error} may not be read or written, expected permission: change it or choose another"
        ) from None


def sentence_of(error: Exception, config_name: str) -> str:
    """The one sentence that tells a user what is wrong."""
    cause = error.__cause__
    if isinstance(error, ClaimkindError):
        return str(error)
    if isinstance(error, OmegaConfBaseException):
        return explain(error, SCHEMAS[config_name])
    if isinstance(error, MissingConfigException):
        return _unknown_option(error)
    if isinstance(error, OverrideParseException):
        return (
            f"the argument {error.override!r} cannot be read, expected key=value: a value of more than letters, "
            "digits and ./:-_ is quoted twice, as in 'input=\"my file.csv\"'"
        )
    if isinstance(error, ConfigCompositionException) and isinstance(cause, OmegaConfBaseException):
        return explain(cause, SCHEMAS[config_name])
    text = " ".join(str(error).split())
    unknown = re.search(r"Could not override '([^']+)'", text)
    if unknown:
        return f"{unknown[1]} is no setting; {nearest(unknown[1], field_names(SCHEMAS[config_name]))}"
    return f"{text.rstrip('.')}; correct the command line"


def _unknown_option(error: MissingConfigException) -> str:
    group, _, name = str(error.missing_cfg_file or "").rpartition("/")
    options = error.options or []
    return f"{group}={name} does not exist; {nearest(name, options)}"
