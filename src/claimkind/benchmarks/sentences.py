"""How well sentences are split, against the gold boundaries of treebanks, and how fast.

**Text.** A document is rebuilt from its CoNLL-U file: the `# text` of each sentence, then a blank unless the last token
carries `SpaceAfter=No`. `# newpar` begins a paragraph. The files do not mark the lines of a paragraph, so a heading
without a full stop runs into the next sentence; no splitter can find such a boundary, and the recall of all is lower.

**Score.** A boundary is the offset of the first character of a sentence. Each splitter gets one paragraph at a time,
and the first sentence of a paragraph does not count, since every splitter finds it.

**Documents.** The rules of `claimkind.text` were written with one half of the documents; by default the other half is
measured. Which half a document belongs to depends on the digest of its name.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from claimkind.errors import ClaimkindError
from claimkind.metrics.bootstrap import Estimate, interval
from claimkind.text.sentences import split_sentences

Splitter = Callable[[str], Sequence[int]]
"""Takes a paragraph, gives the offsets at which its sentences begin."""


class Paragraph(NamedTuple):
    """A paragraph of a treebank and its sentence boundaries: the offsets at which all sentences but the first begin."""

    text: str
    boundaries: frozenset[int]


class SentencesBenchmark:
    """Compares sentence splitters on treebanks."""

    def __init__(
        self, corpora_dir: str, corpora: list[str], documents: str = "held_out", rounds: int = 3, samples: int = 2000
    ) -> None:
        """Settings.

        Args:
            corpora_dir: folder that holds a folder of CoNLL-U files for each corpus.
            corpora: names of these folders.
            documents: `held_out`, `development` (those that the rules were written with) or `all`.
            rounds: number of times that each splitter is timed; the fastest counts.
            samples: number of bootstrap samples of the interval.
        """
        if documents not in _PARTS:
            raise ClaimkindError(f"benchmark.documents={documents}, expected one of {', '.join(_PARTS)}")
        self.corpora_dir, self.corpora, self.documents = Path(corpora_dir), corpora, documents
        self.rounds, self.samples = rounds, samples

    def measure(self) -> pd.DataFrame:
        """Boundary F1, precision, recall and speed, by corpus and splitter; splitters not installed are left out.

        `ahead` is by how much the F1 of claimkind is higher. Both intervals resample documents; that of the difference
        draws the same documents for both splitters.
        """
        rows = []
        for corpus in self.corpora:
            documents = read_documents(self.corpora_dir / corpus, self.documents)
            counts: dict[str, np.ndarray] = {}
            for name in tqdm(_installed(), desc=corpus):
                splitter = _SPLITTERS[name]()
                counts[name] = np.array([_counts(splitter, document) for document in documents])
                ahead = _difference(counts["claimkind"], counts[name], self.samples) if name != "claimkind" else ""
                speed = self._sentences_per_second(splitter, documents)
                scores = _scores_row(counts[name], self.samples)
                rows.append({"corpus": corpus, "splitter": name, **scores, "ahead": ahead, "sentences/s": speed})
        return pd.DataFrame(rows)

    def _sentences_per_second(self, splitter: Splitter, documents: list[list[Paragraph]]) -> int:
        sentences = sum(len(paragraph.boundaries) + 1 for document in documents for paragraph in document)
        return round(sentences / min(_seconds(splitter, documents) for _ in range(self.rounds)))


_PARTS = ("held_out", "development", "all")


def read_documents(folder: Path, part: str) -> list[list[Paragraph]]:
    """Documents of a corpus, one for each `.conllu` file, as lists of paragraphs.

    Raises:
        ClaimkindError: the folder holds no such file, or a file holds no sentence.
    """
    paths = [path for path in sorted(folder.glob("*.conllu")) if part in ("all", _part_of(path.stem))]
    if not paths:
        raise ClaimkindError(f"{folder} holds no .conllu file, expected a treebank: set paths.corpora_dir")
    return [read_paragraphs(path) for path in paths]


def _part_of(name: str) -> str:
    return "held_out" if hashlib.sha256(name.encode()).digest()[0] % 2 else "development"


def read_paragraphs(path: Path) -> list[Paragraph]:
    """Paragraphs of a CoNLL-U file with their gold boundaries.

    Raises:
        ClaimkindError: the file holds no sentence.
    """
    paragraphs: list[tuple[str, set[int]]] = []
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        text = re.search(r"^# text = (.*)$", block, re.MULTILINE)
        if text is None:
            continue
        if not paragraphs or re.search(r"^# newpar\b", block, re.MULTILINE):
            paragraphs.append(("", set()))
        before, boundaries = paragraphs[-1]
        if before:
            boundaries.add(len(before))
        glue = "" if "SpaceAfter=No" in block.rstrip().rpartition("\n")[2] else " "
        paragraphs[-1] = (before + text[1].strip() + glue, boundaries)
    if not paragraphs:
        raise ClaimkindError(f"{path} holds no `# text` line, expected a treebank in CoNLL-U")
    return [Paragraph(text, frozenset(boundaries)) for text, boundaries in paragraphs]


def _counts(splitter: Splitter, document: list[Paragraph]) -> tuple[int, int, int]:
    """Boundaries of a document: found, wrongly found and missed."""
    right = wrong = missed = 0
    for text, boundaries in document:
        found = {start for start in splitter(text) if start}
        right += len(found & boundaries)
        wrong += len(found - boundaries)
        missed += len(boundaries - found)
    return right, wrong, missed


def _scores(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1 of counts of shape (..., 3)."""
    right, wrong, missed = np.moveaxis(counts, -1, 0)
    return right / (right + wrong), right / (right + missed), 2 * right / (2 * right + wrong + missed)


def _scores_row(counts: np.ndarray, samples: int) -> dict[str, Any]:
    precision, recall, f1 = _scores(counts.sum(axis=0))
    return {
        "documents": len(counts),
        "boundaries": int(counts[:, 0].sum() + counts[:, 2].sum()),
        "F1": str(Estimate(float(f1), *interval(_sampled_f1(counts, samples), len(counts)))),
        "precision": round(float(precision), 3),
        "recall": round(float(recall), 3),
    }


def _difference(ours: np.ndarray, theirs: np.ndarray, samples: int) -> str:
    value = _scores(ours.sum(axis=0))[2] - _scores(theirs.sum(axis=0))[2]
    sampled = _sampled_f1(ours, samples) - _sampled_f1(theirs, samples)
    return str(Estimate(float(value), *interval(sampled, len(ours))))


def _sampled_f1(counts: np.ndarray, samples: int) -> np.ndarray:
    """F1 of bootstrap samples that draw documents with replacement."""
    drawn = np.random.default_rng(0).multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=samples)
    return _scores(drawn @ counts)[2]


def _seconds(splitter: Splitter, documents: list[list[Paragraph]]) -> float:
    """Seconds of processor time, which other processes of a busy machine hardly change."""
    start = time.process_time()
    for document in documents:
        for paragraph in document:
            splitter(paragraph.text)
    return time.process_time() - start


def _claimkind() -> Splitter:
    return lambda text: [sentence.start for sentence in split_sentences(text)]


def _sentencex() -> Splitter:
    from sentencex import get_sentence_boundaries

    return lambda text: list(
        _first_characters(text, (boundary["start_index"] for boundary in get_sentence_boundaries("en", text)))
    )


def _pysbd() -> Splitter:
    from pysbd import Segmenter

    segmenter = Segmenter(language="en", clean=False)

    def split(text: str) -> list[int]:
        # Its own offsets (`char_span=True`) search for each sentence from the start of the text.
        starts, end = [], 0
        for sentence in segmenter.segment(text):
            start = text.find(sentence.strip(), end)
            if start >= 0:
                starts.append(start)
                end = start + len(sentence.strip())
        return starts

    return split


def _syntok() -> Splitter:
    from syntok import segmenter

    return lambda text: [
        sentence[0].offset for paragraph in segmenter.analyze(text) for sentence in paragraph if sentence
    ]


def _spacy() -> Splitter:
    import spacy

    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")
    return lambda text: list(_first_characters(text, (sentence.start_char for sentence in pipeline(text).sents)))


def _first_characters(text: str, starts: Iterator[int]) -> Iterator[int]:
    """Moves starts that lie on blanks to the first character after them."""
    for start in starts:
        yield len(text) - len(text[start:].lstrip())


_SPLITTERS: dict[str, Callable[[], Splitter]] = {
    "claimkind": _claimkind,
    "sentencex": _sentencex,
    "pysbd": _pysbd,
    "syntok": _syntok,
    "spacy": _spacy,
}


def _installed() -> list[str]:
    return [name for name in _SPLITTERS if name == "claimkind" or find_spec(name)]
