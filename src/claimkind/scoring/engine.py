"""The scoring engine: read in chunks, split documents into sentences, label, write."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from claimkind.config import ScoreConfig
from claimkind.dataset.sentences import split_sentences
from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS, PROBABILITY_COLUMNS, UNDECIDED
from claimkind.models.base import Predictor
from claimkind.scoring.readers import TEXT_ENDINGS, find_files, read_texts
from claimkind.scoring.report import write_report
from claimkind.scoring.writers import check_output, open_writer

_UNITS = ("auto", "document", "sentence")
OUTPUT_COLUMNS = ("label", "confidence", *PROBABILITY_COLUMNS)


def run(config: ScoreConfig) -> Counter[str]:
    """Score a file or a folder; see `configs/score.yaml`.

    Returns:
        How many sentences got each label.

    Raises:
        ClaimkindError: the input, the output or the model is not as it should be.
    """
    from claimkind import tracking  # imports MLflow, which a server or worker that only labels does not need

    if config.unit not in _UNITS:
        raise ClaimkindError(f"unit={config.unit} is unknown, expected one of {', '.join(_UNITS)}")
    if config.explain and not config.report:
        raise ClaimkindError("explain=true shows words in the report, expected one: give report=FILE.html too")
    output = Path(config.output)
    check_output(output)
    files = find_files(Path(config.input))
    classifier = tracking.fetch_model(config.model_uri)
    counts: Counter[str] = Counter()
    kept: list[pd.DataFrame] = []
    with open_writer(output) as write, tqdm(unit=" sentences", desc="scoring", delay=2) as progress:
        for chunk in read_units(files, config):
            scored = score_chunk(classifier, chunk)
            write(scored)
            counts.update(scored["label"])
            progress.update(len(scored))
            if config.report:
                kept.append(scored)
    if config.report:
        write_report(
            Path(config.report),
            pd.concat(kept, ignore_index=True),
            title=Path(config.input).stem,
            explained_by=classifier if config.explain else None,
        )
    shares = ", ".join(
        f"{counts[label]:,} {label}" for label in (*LABELS, UNDECIDED) if label in LABELS or counts[label]
    )
    print(f"{output}: {counts.total():,} sentences, {shares}")  # noqa: T201
    return counts


def read_units(files: Sequence[Path], config: ScoreConfig) -> Iterator[pd.DataFrame]:
    """Read the sentences to be labelled, chunk by chunk, with `text` and what the output says beside the label."""
    root = Path(config.input) if Path(config.input).is_dir() else Path(config.input).parent
    for path in files:
        is_text = path.suffix.lower() in TEXT_ENDINGS
        split = config.unit == "document" or (config.unit == "auto" and is_text)
        chunks = read_texts(
            path,
            root,
            lines=not split,
            text_column=config.text_column,
            id_column=config.id_column,
            chunk_size=config.chunk_size,
        )
        for chunk in chunks:
            yield split_documents(chunk) if split else chunk


def split_documents(documents: pd.DataFrame) -> pd.DataFrame:
    """Sentences of documents: `document`, `sentence` and `paragraph` (from 0), `start`, `end`, `text`."""
    rows = []
    for name, text in zip(documents["id"], documents["text"], strict=True):
        paragraph, before = 0, 0
        for number, sentence in enumerate(split_sentences(text)):
            # A line break in the gap before a sentence begins a paragraph.
            paragraph += number > 0 and "\n" in text[before : sentence.start]
            before = sentence.end
            rows.append((name, number, paragraph, *sentence))
    return pd.DataFrame(rows, columns=["document", "sentence", "paragraph", "start", "end", "text"])


def score_chunk(classifier: Predictor, chunk: pd.DataFrame) -> pd.DataFrame:
    """Add `OUTPUT_COLUMNS` to rows with `text`; a column of the input with such a name becomes `input_<name>`."""
    taken = {name: f"input_{name}" for name in chunk.columns if name in OUTPUT_COLUMNS}
    labelled = label_texts(classifier, chunk["text"].tolist())
    return pd.concat([chunk.rename(columns=taken), labelled], axis=1)


def label_texts(classifier: Predictor, texts: Sequence[str]) -> pd.DataFrame:
    """Label texts: one row each, with the columns `OUTPUT_COLUMNS`.

    A model that was given `abstain_below` says `undecided` of sentences of which it is less sure.
    """
    probabilities = classifier.predict_proba(texts)
    confidence = probabilities.max(axis=1, initial=0)
    decided = confidence >= getattr(classifier, "abstain_below", 0.0)
    columns = {
        "label": np.where(decided, np.array(LABELS)[probabilities.argmax(axis=1)], UNDECIDED),
        "confidence": confidence,
        **dict(zip(PROBABILITY_COLUMNS, probabilities.T, strict=True)),
    }
    return pd.DataFrame(columns)
