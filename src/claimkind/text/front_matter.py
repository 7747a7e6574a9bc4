"""Text files with front matter: YAML between two lines of `---`, or TOML between two of `+++`, which is not read."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from claimkind.errors import ClaimkindError

FENCES = ("---", "+++")
"""The lines around front matter."""
# It begins with a key, a comment or a table: in Markdown, `---` may be a rule above a text, too.
_FRONT_MATTER = re.compile(
    r"""(?P<fence>---|\+\+\+)[ \t]*\r?\n
    (?= [ \t]*[\w"'][\w"'.-]*[ \t]*[:=] | [#\[] | (?P=fence) )
    (?P<content>.*?)
    ^(?:(?P=fence)|\.\.\.)[ \t]*(?:\r?\n|\Z)
    """,
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)


class Document(NamedTuple):
    """A text and its front matter."""

    name: str
    """The file's name without its ending."""
    text: str
    """Everything below the front matter, byte for byte; offsets of sentences count from its first character."""
    front_matter: dict[str, Any]
    first_line: int
    """The line of the file, from 1, on which `text` begins."""


def read_document(path: Path) -> Document:
    """Read a text or Markdown file in UTF-8, with or without front matter.

    Raises:
        ClaimkindError: the file is not UTF-8, or its front matter is not a YAML mapping.
    """
    try:
        content = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ClaimkindError(f"{path}: byte {error.start} is not UTF-8, expected text in UTF-8: convert it") from None
    text, front = split_front_matter(content)
    try:
        front_matter = yaml.safe_load(front) or {}
    except yaml.YAMLError:
        front_matter = None
    if not isinstance(front_matter, dict):
        raise ClaimkindError(f"{path}:1: the front matter is not valid YAML, expected lines of the form `key: value`")
    return Document(path.stem, text, front_matter, content[: len(content) - len(text)].count("\n") + 1)


def split_front_matter(content: str) -> tuple[str, str]:
    """The text below the front matter, and the front matter, empty where there is none."""
    match = _FRONT_MATTER.match(content)
    return (content[match.end() :], match["content"]) if match else (content, "")
