"""What sources have in common: their interface, finding files by digest, joining sentences with stand-off labels."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pandas as pd
import pooch

from claimkind.dataset.annotations import Annotation, read_jsonl, to_annotation
from claimkind.dataset.rows import text_sha
from claimkind.errors import ClaimkindError, first_line
from claimkind.manifest import sha256_file


class Source(Protocol):
    """One origin of sentences: a dataclass in this package whose fields are its settings, and a YAML file."""

    @property
    def citation(self) -> str:
        """How to cite it; empty if there is nothing to cite."""
        ...

    @property
    def provenance(self) -> str:
        """Who wrote and labelled its sentences, for the data card; empty if nothing is stated."""
        ...

    @property
    def evidence(self) -> Mapping[str, list[str]] | None:
        """By source label, the only classes that it can mean; None where that is measured."""
        ...

    def read(self, name: str) -> pd.DataFrame:
        """Read all sentences.

        Args:
            name: the name that the source has in the dataset's configuration.

        Returns:
            One row a sentence with at least `id`, `text`, `label` (a name in `LABELS` or None), `group` and `licence`;
            other columns of `rows.FEATURES` where the source knows them; `pinned` where rows must be on the test side.

        Raises:
            ClaimkindError: a file is missing or not in the expected format.
        """
        ...


class CorpusFile(NamedTuple):
    """A file of a corpus whose digest was checked."""

    part: str
    """Its name without the ending."""
    path: Path


def fetch(files: Mapping[str, str | None], folder: str, url: str | None) -> Iterator[CorpusFile]:
    """Find the files of a corpus and download those that are missing.

    Args:
        files: path below `url` and sha256 of each file; the sha256 may be None for a local file.
        folder: where the files are, or are downloaded to, under the last part of their path.
        url: address that the paths are relative to; None if all files are local.

    Raises:
        ClaimkindError: a file is missing and cannot be downloaded, or its digest differs.
    """
    for remote, digest in files.items():
        path = Path(folder) / Path(remote).name
        if not path.is_file():
            _download(f"{url}/{remote}" if url else None, path, digest)
        if (url or digest) and sha256_file(path) != digest:
            raise ClaimkindError(
                f"{path} has the sha256 {sha256_file(path)[:12]}…, expected {str(digest)[:12]}…: "
                "delete the file to download it again, or correct the digest in the source's YAML file"
            )
        yield CorpusFile(path.stem, path)


def _download(url: str | None, path: Path, digest: str | None) -> None:
    if url is None or digest is None:
        raise ClaimkindError(f"{path} does not exist, expected a file of the source: check the path in its YAML file")
    try:
        pooch.retrieve(url, known_hash=f"sha256:{digest}", fname=path.name, path=path.parent, progressbar=True)
    except (OSError, ValueError) as error:  # no network, no such address, another digest
        reason = first_line(error)
        raise ClaimkindError(
            f"{path} does not exist and {url} cannot be downloaded ({reason}): "
            "connect to the network, or give paths.corpora_dir=<folder with the corpora>"
        ) from None


def label_corpus(rows: pd.DataFrame, labels: str | None) -> pd.DataFrame:
    """Add the stand-off labels of the sentences of a corpus.

    Args:
        rows: n sentences in the column `text`, with any other columns.
        labels: JSON-lines file with a label for each `sha` of a sentence; None leaves all sentences without a label.

    Returns:
        The rows with `label`, `votes` and `rule`, null where the file has no label for a sentence.

    Raises:
        ClaimkindError: the file is not as expected, or holds two different labels for one sentence.
    """
    if labels is None:
        return rows.assign(label=None, votes=None, rule=None)
    by_sha = _read_labels(Path(labels))
    found: list[Any] = [by_sha.get(text_sha(text)) for text in rows["text"]]
    return rows.assign(
        label=[annotation and annotation.label for annotation in found],
        votes=[annotation and annotation.votes for annotation in found],
        rule=[annotation and annotation.rule for annotation in found],
    )


def _read_labels(path: Path) -> dict[str, Annotation]:
    by_sha: dict[str, Annotation] = {}
    for place, row in read_jsonl(path):
        annotation = to_annotation(place, row)
        first = by_sha.setdefault(annotation.sha, annotation)
        if first.label != annotation.label:
            raise ClaimkindError(f"{place}: the sentence has another label at {first.place}: keep one of them")
    return by_sha
