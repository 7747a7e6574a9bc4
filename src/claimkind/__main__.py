"""The command `claimkind`, which has the scripts as subcommands: claimkind score input=FILE model_uri=FOLDER."""

import sys
from pathlib import Path

from claimkind.command import COMMANDS, command
from claimkind.config import SCHEMAS, nearest

_PACKAGE = Path(__file__).parent


def main() -> None:
    """Run the subcommand that the first argument names.

    Names are those of the scripts, with `-` or `_`; their configurations come with the package, and `--config-dir`
    adds a folder of one's own. The exit codes are those of `command`, and 2 for an unknown subcommand.
    """
    if len(sys.argv) < 2 or sys.argv[1] in {"-h", "--help"}:
        print(_usage())
        return
    name = sys.argv[1].replace("-", "_")
    if name not in COMMANDS:
        print(f"error: unknown subcommand {sys.argv[1]!r}; {nearest(name, sorted(COMMANDS))}", file=sys.stderr)
        sys.exit(2)
    sys.argv[:2] = [f"{Path(sys.argv[0]).name} {sys.argv[1]}"]
    command(name, config_folder())()


def config_folder() -> Path:
    """The configurations: `claimkind/configs` of an installed package, `configs` of a checkout."""
    installed = _PACKAGE / "configs"
    return installed if installed.is_dir() else _PACKAGE.parents[1] / "configs"


def _usage() -> str:
    names = "\n".join(f"  {name.replace('_', '-'):14}{_summary(name)}" for name in COMMANDS)
    return (
        f"usage: claimkind COMMAND key=value ...\n\ncommands (`claimkind COMMAND --help` lists the settings):\n{names}"
    )


def _summary(name: str) -> str:
    return (SCHEMAS[name].__doc__ or "").partition("\n")[0]


if __name__ == "__main__":
    main()
