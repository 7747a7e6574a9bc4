"""What sources share: finding files by digest and joining corpora with our stand-off labels."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pooch

from claimkind.dataset.annotations import read_jsonl, to_annotation
from claimkind.dataset.rows import text_sha
from claimkind.errors import ClaimkindError
from claimkind.manifest import sha256_file


class CorpusFile(NamedTuple):
    """A file of a corpus after its digest was checked."""

    part: str
    path: Path


def fetch(files: Mapping[str, str | None], folder: str, url: str | None) -> Iterator[CorpusFile]:
    """Find the files of a corpus, downloading those that are not there.

    Args:
        files: path below `url` and sha256 of each file; a file of one's own may go without (null).
        folder: where they are, or are downloaded to, under the last part of their path.
        url: address that the paths are relative to; None for files that are only local.

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
                "delete the file to have it fetched again, or correct the digest in the source's YAML file"
            )
        yield CorpusFile(path.stem, path)


def _download(url: str | None, path: Path, digest: str | None) -> None:
    if url is None or digest is None:
        raise ClaimkindError(f"{path} does not exist, expected a file of the source: check the path in its YAML file")
    try:
        pooch.retrieve(url, known_hash=f"sha256:{digest}", fname=path.name, path=path.parent, progressbar=True)
    except (OSError, ValueError) as error:  # no network, no such address, another digest
        reason = str(error).splitlines()[0]
        raise ClaimkindError(
            f"{path} does not exist and {url} cannot be fetched ({reason}): "
            "go online, or give paths.corpora_dir=<folder with the corpora>"
        ) from None


def label_corpus(rows: pd.DataFrame, labels: str | None) -> pd.DataFrame:
    """Give the sentences of a corpus the three-way labels that point at them.

    Args:
        rows: `text` and what else the corpus knows.
        labels: file of stand-off labels by sha of the sentence, or None.

    Raises:
        ClaimkindError: the file is not as it should be, or two of its labels for one sentence differ.
    """
    if labels is None:
        return rows.assign(label=None, votes=None, rule=None)
    found: dict[str, tuple] = {}
    for place, row in read_jsonl(Path(labels)):
        annotation = to_annotation(place, row)
        if found.setdefault(annotation.sha, (annotation,))[0].label != annotation.label:
            raise ClaimkindError(
                f"{place}: the sentence has another label at {found[annotation.sha][0].place}: keep one"
            )
    matched = [found.get(text_sha(text), (None,))[0] for text in rows["text"]]
    return rows.assign(
        label=[entry and entry.label for entry in matched],
        votes=[entry and entry.votes for entry in matched],
        rule=[entry and entry.rule for entry in matched],
    )
