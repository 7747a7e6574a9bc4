"""Public corpora: fetching their files with digests, and reading those that are no tables."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pandas as pd
import pooch

from claimkind.dataset.annotations import read_jsonl, to_annotation
from claimkind.dataset.rows import text_sha
from claimkind.errors import ClaimkindError
from claimkind.manifest import sha256_file

_SUBJ_LABELS = {"0": "subjective", "1": "objective"}


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
            "go online, or give corpora_dir=<folder with the corpora>"
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


class SzegedWikipedia:
    """Szeged uncertainty corpus, Wikipedia part: a sentence with a cue is *uncertain*, any other *certain*."""

    def __init__(
        self, files: dict[str, str], folder: str, url: str, licence: str, citation: str, labels: str | None = None
    ) -> None:
        """Settings; see `fetch` and `label_corpus` for the files, the folder, the address and the labels."""
        self.files, self.folder, self.url, self.labels = files, folder, url, labels
        self.licence, self.citation = licence, citation
        self.evidence: dict[str, list[str]] = {}

    def read(self, name: str) -> pd.DataFrame:
        """Read all sentences but titles; a group is an article, whatever part of it a document holds.

        Raises:
            ClaimkindError: the file is not the XML that the corpus was published in.
        """
        rows = [row for file in fetch(self.files, self.folder, self.url) for row in _szeged_rows(file.path, name)]
        return label_corpus(pd.DataFrame(rows).assign(licence=self.licence, genre="encyclopaedia"), self.labels)


def _szeged_rows(path: Path, name: str) -> Iterator[dict[str, str]]:
    try:
        documents = ElementTree.parse(path).iter("Document")  # noqa: S314 - the digest was checked
    except ElementTree.ParseError as error:
        raise ClaimkindError(f"{path} is no XML ({error}), expected the Szeged uncertainty corpus: check it") from None
    for document in documents:
        title = document.findtext("DocID", "")
        for part in document.iter("DocumentPart"):
            # A title is no sentence; the corpus marks its part so.
            for sentence in part.iter("Sentence") if part.get("type") != "Title" else ():
                yield {
                    "id": f"{name}:{title}#{sentence.get('id')}",
                    "text": re.sub(r"\s+", " ", "".join(sentence.itertext())).strip(),
                    "source_label": "certain" if sentence.find(".//ccue") is None else "uncertain",
                    "document": title,
                    "group": f"{name}:{re.sub(r'_[0-9]+$', '', title)}",
                }


class Gum:
    """Georgetown University Multilayer corpus. It says nothing of our classes: only what we labelled comes in."""

    def __init__(
        self, files: dict[str, str], folder: str, url: str, licences: dict[str, str], citation: str, labels: str
    ) -> None:
        """Settings; `licences` names that of each genre. See `fetch` and `label_corpus` for the rest."""
        self.files, self.folder, self.url, self.labels = files, folder, url, labels
        self.licences, self.citation = licences, citation
        self.evidence: dict[str, list[str]] = {}

    def read(self, name: str) -> pd.DataFrame:
        """Read the labelled sentences; a group is a document.

        Raises:
            ClaimkindError: a file is not the CoNLL-U that the corpus was published in.
        """
        rows = [row for file in fetch(self.files, self.folder, self.url) for row in self._rows(file, name)]
        labelled = label_corpus(pd.DataFrame(rows), self.labels)
        return labelled[labelled["label"].notna()].reset_index(drop=True)

    def _rows(self, file: CorpusFile, name: str) -> Iterator[dict[str, str]]:
        comments = re.findall(r"^# (sent_id|text) = (.*)$", file.path.read_text(encoding="utf-8"), re.MULTILINE)
        genre = file.part.split("_")[1] if file.part.count("_") > 1 else ""
        if not comments or genre not in self.licences:
            raise ClaimkindError(
                f"{file.path} holds no sentences of GUM, or its genre {genre!r} has no licence: check it"
            )
        for (_, key), (_, text) in zip(comments[::2], comments[1::2], strict=True):
            yield {
                "id": f"{name}:{key}",
                "text": text,
                "document": file.part,
                "group": f"{name}:{file.part}",
                "genre": genre,
                "licence": self.licences[genre],
            }


class Subj:
    """Pang and Lee's subjectivity sentences, for a benchmark only: a label, a blank and the sentence on each line."""

    def __init__(self, files: dict[str, str], folder: str, url: str) -> None:
        """Settings; see `fetch`."""
        self.files, self.folder, self.url = files, folder, url

    def read(self, name: str) -> pd.DataFrame:
        """Read all sentences: `text` and `source_label`.

        Raises:
            ClaimkindError: a line does not begin with one of the two labels.
        """
        rows = []
        for file in fetch(self.files, self.folder, self.url):
            for number, line in enumerate(file.path.read_text(encoding="latin-1").rstrip("\n").split("\n")):
                label, _, text = line.partition(" ")
                if label not in _SUBJ_LABELS:
                    raise ClaimkindError(f"{file.path}:{number + 1} begins with {label!r}, expected 0 or 1: check it")
                rows.append({"id": f"{name}:{number}", "text": text.strip(), "source_label": _SUBJ_LABELS[label]})
        return pd.DataFrame(rows)
