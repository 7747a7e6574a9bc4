"""The text of `--help`: what a script does, examples, the choices of each configuration group, and every setting.

It is made of the docstrings of the schema and of the comments at the head of the YAML files, so that neither can be
out of step with it.
"""

import inspect
import itertools
import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import Field, fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

import hydra
import yaml
from omegaconf import MISSING

from claimkind.config import SCHEMAS, DatasetNameConfig, signature_schema

_WIDTH = 100
_NOT_SHOWN = ("runtime", "paths")  # groups with one file
_OPTIONS = {
    "-m": "run the script once for each combination of values, as in -m seed=0,1",
    "--cfg job": "print the configuration and stop",
    "--config-dir FOLDER": "take further files of configuration from a folder like configs/",
    "--hydra-help": "the other options, which are those of Hydra",
}


class _Documented(NamedTuple):
    """A field of a dataclass with what its source says about it."""

    field: Field[Any]
    section: str
    """The comment above it or above an earlier field; empty where there is none."""
    meaning: str
    """Its docstring."""


def help_text(name: str, config_dir: Path, given: Sequence[str], built: Sequence[str] = ()) -> str:
    """The text of `--help`.

    Args:
        name: of the script.
        config_dir: the folder `configs/`.
        given: the other arguments; the settings of a choice among them (`model=tfidf`) are listed.
        built: names of datasets that were built.
    """
    schema, groups = SCHEMAS[name], _groups(name, config_dir)
    settings = dict(argument.split("=", 1) for argument in given if "=" in argument)
    chosen = {group: settings.get(group, groups[group]) for group in groups if group in settings or len(groups) == 1}
    parts = [
        f"python scripts/{name}.py [setting=value …] [option …]",
        textwrap.fill(" ".join((schema.__doc__ or "").replace("`", "").split()), _width()),
        _block("Examples:", examples(name, config_dir)),
        *_choices(name, config_dir, groups, built),
        *_settings(schema, groups),
        *(_settings_of_choice(group, choice, schema, config_dir) for group, choice in chosen.items() if choice),
        _block("Options:", (f"{option:22}{meaning}" for option, meaning in _OPTIONS.items())),
    ]
    return "\n\n".join(filter(None, parts))


def examples(name: str, config_dir: Path) -> list[str]:
    """The commands in the comments at the head of a script's primary configuration."""
    return [line for line in _head(config_dir / f"{name}.yaml") if line.startswith("python ")]


def description(path: Path) -> str:
    """What the comments at the head of a YAML file say in their first sentence, commands aside; empty without any."""
    lines = [line for line in _head(path) if not line.startswith(("python ", "@package"))]
    first = re.split(r"(?<=[.])\s+(?=[A-Z`])", " ".join(lines), maxsplit=1)[0]
    return first.rstrip(":")


def _width() -> int:
    return min(_WIDTH, shutil.get_terminal_size((_WIDTH, 24)).columns)


def _head(path: Path) -> list[str]:
    lines: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return lines


def _block(title: str, lines: Iterable[str]) -> str:
    return "\n".join([title, *(f"  {line}" for line in lines)])


def _groups(name: str, config_dir: Path) -> dict[str, str | None]:
    """By configuration group of a script the file that is taken where none is given."""
    defaults = yaml.safe_load((config_dir / f"{name}.yaml").read_text(encoding="utf-8"))["defaults"]
    entries = [entry for entry in defaults if isinstance(entry, dict)]
    return {group: choice for entry in entries for group, choice in entry.items() if group not in _NOT_SHOWN}


def _choices(name: str, config_dir: Path, groups: Mapping[str, str | None], built: Sequence[str]) -> Iterator[str]:
    for group, default in groups.items():
        files = {path.stem: description(path) for path in sorted((config_dir / group).glob("*.yaml"))}
        if group == "dataset" and name != "build_dataset":
            files |= {dataset: "built before, in the data folder" for dataset in built if dataset not in files}
        title = f"{group}={default or 'null'} is the default; the choices, files of configs/{group}/:"
        width = max(map(len, files)) + 2
        lines = [line for file, meaning in files.items() for line in _hanging(f"{file:{width}}", meaning)]
        yield _block(title, lines)
    if len(groups) > 1:
        group, choice = next((group, choice) for group, choice in reversed([*groups.items()]) if choice)
        yield f"The settings of a choice: python scripts/{name}.py {group}={choice} --help"


def _hanging(label: str, text: str) -> list[str]:
    indent = " " * len(label)
    return textwrap.wrap(text, _width() - 2, initial_indent=label, subsequent_indent=indent) or [label.rstrip()]


def _settings(schema: type, groups: Mapping[str, str | None]) -> Iterator[str]:
    """The settings of a script that are no choice of a group, by section."""
    sections: dict[str, list[str]] = {}
    for documented in _documented(schema):
        field = documented.field
        if field.name in groups:
            continue
        if is_dataclass(field.type) and field.type is not DatasetNameConfig:
            own = itertools.chain(*(_setting(nested, f"{field.name}.") for nested in _documented(field.type)))
            sections.setdefault(field.name.capitalize(), []).extend(own)
        else:
            sections.setdefault(documented.section or "Settings", []).extend(_setting(documented))
    for section, lines in sections.items():
        yield _block(f"{section}:", lines)


def _setting(documented: _Documented, prefix: str = "") -> list[str]:
    field = documented.field
    meaning = documented.meaning.replace("`", "")
    first = f"{prefix}{field.name}={_shown(_default(field))}"
    return [first, *textwrap.wrap(meaning, _width() - 2, initial_indent="    ", subsequent_indent="    ")]


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is NO_DEFAULT else field.default_factory()


def _shown(value: Any) -> str:
    """A default value as it is given on the command line."""
    if isinstance(value, DatasetNameConfig):
        return value.name
    if value == MISSING or value is NO_DEFAULT:
        return "…  (required)"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    reference = re.fullmatch(r"\$\{([\w.]+)\}", str(value))
    return f"…  (that of {reference[1]})" if reference else str(value)


def _settings_of_choice(group: str, choice: str, schema: type, config_dir: Path) -> str:
    """The settings of one file of a group, with its values as the defaults."""
    path = config_dir / group / f"{choice}.yaml"
    values = (yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None) or {}
    kind: Any = next((field.type for field in fields(schema) if field.name == group), None)
    if "_target_" in values:
        target = hydra.utils.get_class(values["_target_"])
        kind = target if is_dataclass(target) else signature_schema(target)
    if not is_dataclass(kind):
        return ""
    lines = []
    for documented in _documented(kind):
        first, *meaning = _setting(documented, f"{group}.")
        name, value = documented.field.name, values.get(documented.field.name)
        lines += [f"{group}.{name}={_shown(value)}" if isinstance(value, bool | int | float | str) else first, *meaning]
    return _block(f"Settings of {group}={choice}:", lines)


def _documented(schema: Any) -> list[_Documented]:
    """The fields of a dataclass, its own before the inherited ones, with their sections and docstrings."""
    by_name = {field.name: field for field in fields(schema)}
    found = {}
    for owner in schema.__mro__:
        for name, section, meaning in _parse(owner):
            if name in by_name and name not in found:
                found[name] = _Documented(by_name[name], section, meaning)
    missing = {name: _Documented(field, "", "") for name, field in by_name.items() if name not in found}
    return [*found.values(), *missing.values()]


def _parse(owner: type) -> Iterator[tuple[str, str, str]]:
    """Name, section and docstring of each field in the source of a dataclass."""
    try:
        source = textwrap.dedent(inspect.getsource(owner))
    except (OSError, TypeError):  # made from a signature
        return
    section = ""
    for line in re.finditer(
        r'^    (?:# (?P<section>.+)|(?P<name>\w+): .*\n    """(?P<text>(?s:.)*?)""")$', source, re.M
    ):
        if line["section"]:
            section = line["section"]
        else:
            yield line["name"], section, " ".join(line["text"].split())
