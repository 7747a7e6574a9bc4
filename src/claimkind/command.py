"""The one wrapper around `hydra.main`: a script's errors are sentences, not tracebacks."""

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from claimkind.config import SCHEMAS, explain, field_names, nearest, register_schemas, to_schema
from claimkind.errors import ClaimkindError

T = TypeVar("T")


def command(config_name: str, run: Callable[[Any], T], config_dir: Path) -> Callable[[], None]:
    """Make the `main` of a script: compose the configuration, check it, call `run` with it.

    Args:
        config_name: the primary configuration; its schema is `SCHEMAS[config_name]`.
        run: takes the checked configuration, an instance of that schema.
        config_dir: the folder `configs/`.

    Returns:
        A function without arguments that reads `sys.argv`. It exits with 2 on bad input, 1 on too many bad rows, 130
        on Ctrl-C.
    """
    register_schemas()
    raised: list[ClaimkindError] = []

    def checked(config: DictConfig) -> T | None:
        try:
            with _permissions_told():
                return run(to_schema(config, SCHEMAS[config_name]))
        except ClaimkindError as error:
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                # Raised, so that Hydra marks the job as failed; it goes on with the others.
                print(f"error in job {HydraConfig.get().job.num}: {error}", file=sys.stderr)
                raise
            # Kept, not raised: Hydra would print lines of its own around it.
            raised.append(error)
            return None

    hydra_main = hydra.main(version_base=None, config_path=str(config_dir), config_name=config_name)(checked)

    def main() -> None:
        # Hydra prints errors in a form of its own unless it is told to let them through.
        os.environ.setdefault("HYDRA_FULL_ERROR", "1")
        try:
            with _groups_told():
                hydra_main()
            for error in raised:
                raise error
        except (ClaimkindError, HydraException, OmegaConfBaseException) as error:
            print(f"error: {sentence_of(error, config_name)}", file=sys.stderr)
            sys.exit(getattr(error, "exit_code", 2))
        except KeyboardInterrupt:
            print("stopped by Ctrl-C", file=sys.stderr)
            sys.exit(130)

    return main


@contextlib.contextmanager
def _groups_told() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        if "Config group override" not in str(error):
            raise
        raise ClaimkindError(
            "a group of configurations is given a number, expected the name of one of its files, as in model=tfidf"
        ) from None


@contextlib.contextmanager
def _permissions_told() -> Iterator[None]:
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
