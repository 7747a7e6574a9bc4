"""Building a dataset: read the sources, check, split by group, write parquet, card and manifest."""

import csv
import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from datasets import Dataset

from claimkind import __version__
from claimkind.config import BuildDatasetConfig, DatasetConfig, build
from claimkind.dataset.card import write_card
from claimkind.dataset.evidence import Evidence, evidence_rows, fix_evidence, measure_evidence
from claimkind.dataset.near_duplicates import (
    equal_links,
    first_of_equals,
    merge_groups,
    near_duplicate_links,
    normalise,
)
from claimkind.dataset.rows import COMMERCIAL_LICENCES, SPLITS, Source, check_unique, complete, read_rows, write_rows
from claimkind.dataset.split import split_by_group
from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS
from claimkind.manifest import fingerprint, read_manifest, sha256_file, write_manifest

_SETTINGS_OF_A_BUILD = ("validation_share", "test_share", "licence", "near_duplicate_threshold", "split_seed")


class BuiltDataset(NamedTuple):
    """A dataset as `load_dataset` gives it."""

    name: str
    fingerprint: str
    folder: Path
    splits: dict[str, Dataset]


class Gathered(NamedTuple):
    """Everything that the sources hold and that may be used, before it is split."""

    rows: pd.DataFrame
    """All rows, duplicates too, with groups of duplicates and near-duplicates joined."""
    kept: pd.Series
    """Which rows go into the dataset; the others repeat one of them."""
    notes: dict[str, Any]
    """What was removed and why, and the citations."""
    fixed_evidence: dict[str, dict[str, list[str]]]


def run(config: BuildDatasetConfig) -> Path:
    """Build the dataset that a configuration describes into `<data_dir>/<name>/`, replacing an older one.

    Returns:
        The folder.

    Raises:
        ClaimkindError: a source is not as it should be; an older dataset is then still in place.
    """
    folder = Path(config.paths.data_dir) / config.dataset.name
    gathered = gather(config.dataset)
    splits, evidence = divide(gathered, config.dataset)
    draft = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for name, part in splits.items():
        write_rows(part, draft / f"{name}.parquet")
    description = _describe(config.dataset, gathered.notes, splits, evidence, draft)
    write_card(draft / "README.md", description, splits)
    write_manifest(draft, description)
    shutil.rmtree(folder, ignore_errors=True)
    draft.replace(folder)
    counts = ", ".join(f"{len(part):,} {name}" for name, part in splits.items())
    print(f"{folder}: {counts}; fingerprint {description['fingerprint']}")  # noqa: T201
    return folder


def gather(config: DatasetConfig) -> Gathered:
    """Read every source, leave out what may not be used, find duplicates and join their groups."""
    sources = _build_sources(config.sources)
    read = pd.concat([complete(source.read(name), name) for name, source in sources.items()], ignore_index=True)
    check_unique(read)
    corrected = correct(read, config.corrections)
    rows = _usable(read, config.licence)
    _pin(rows, config.always_test)
    keys = pd.Series([normalise(text) for text in rows["text"]])
    refuse_benchmarks(keys, rows["source"], config.contamination_hashes)
    kept = first_of_equals(keys, rows["label"])
    near = near_duplicate_links(keys.tolist(), config.near_duplicate_threshold)
    notes = {
        "citations": {name: source.citation for name, source in sources.items() if source.citation},
        "left_out_by_licence_or_without_any_label": len(read) - len(rows),
        "duplicates_removed": int((~kept).sum()),
        "sentences_labelled_differently": int((rows["label"].groupby(keys).nunique() > 1).sum()),
        "labels_corrected_by_hand": corrected,
        "near_duplicate_pairs": int((keys[near[:, 0]].to_numpy() != keys[near[:, 1]].to_numpy()).sum()),
    }
    rows = rows.assign(group=merge_groups(rows["group"], np.concatenate([equal_links(keys), near])))
    fixed = {name: source.evidence for name, source in sources.items() if source.evidence}
    return Gathered(rows, kept, notes, fixed)


def correct(rows: pd.DataFrame, corrections: list[str]) -> int:
    """Replace labels by those that a person wrote into the column `corrected` of a CSV file; see `audit_labels.py`.

    Returns:
        How many labels were replaced.

    Raises:
        ClaimkindError: a file is not as it should be, or a row of it fits no sentence.
    """
    changed = 0
    positions = {key: index for index, key in zip(rows.index, zip(rows["id"], rows["sha"], strict=True), strict=True)}
    for path in map(Path, corrections):
        for line, entry in enumerate(_read_corrections(path), start=2):
            label = entry["corrected"].strip()
            if label not in ("", *LABELS):
                raise ClaimkindError(f"{path}:{line}: found the label {label!r}, expected one of {', '.join(LABELS)}")
            if label and (entry["id"], entry["sha"]) not in positions:
                raise ClaimkindError(
                    f"{path}:{line}: no sentence has the id {entry['id']!r} and that sha: remove the row"
                )
            if label:
                rows.loc[positions[entry["id"], entry["sha"]], ["label", "rule"]] = [label, None]
                changed += 1
    return changed


def _read_corrections(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            entries = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError) as error:
        raise ClaimkindError(f"dataset.corrections names {path}, which cannot be read ({error}): check it") from None
    if entries and not {"id", "sha", "corrected"} <= set(entries[0]):
        raise ClaimkindError(f"{path}:1: found the columns {', '.join(entries[0])}, expected id, sha and corrected")
    return entries


def _build_sources(settings: Mapping[str, Any]) -> dict[str, Source]:
    if not settings:
        raise ClaimkindError("dataset.sources is empty, expected one at least: choose dataset=bundled, for instance")
    return {name: build(source, f"dataset.sources.{name}", "claimkind.dataset") for name, source in settings.items()}


def _usable(rows: pd.DataFrame, licence: str) -> pd.DataFrame:
    """Rows that say something about a class and, with `licence=commercial`, may be used commercially."""
    if licence not in ("any", "commercial"):
        raise ClaimkindError(f"dataset.licence is {licence!r}, expected any or commercial")
    telling = rows["label"].notna() | rows["source_label"].notna()
    allowed = rows["licence"].isin(COMMERCIAL_LICENCES) | (licence == "any")
    return rows[telling & allowed].reset_index(drop=True)


def _pin(rows: pd.DataFrame, always_test: list[str]) -> None:
    absent = sorted(set(always_test) - set(rows["document"].dropna()))
    if absent:
        raise ClaimkindError(
            f"dataset.always_test names {absent[0]!r}, which is no document of this dataset: correct or remove the name"
        )
    rows["pinned"] |= rows["document"].isin(always_test)


def refuse_benchmarks(keys: pd.Series, origins: pd.Series, contamination_hashes: Sequence[str]) -> None:
    """Refuse sentences of benchmarks: a model that has seen them cannot be measured on them.

    Args:
        keys: normalised text of each sentence.
        origins: where each is from.
        contamination_hashes: files of digests of sentences.

    Raises:
        ClaimkindError: a sentence is of a benchmark, or a file is not there.
    """
    digests = (
        pd.Series([hashlib.sha256(key.encode()).hexdigest()[:16] for key in keys]) if contamination_hashes else keys
    )
    for path in map(Path, contamination_hashes):
        if not path.is_file():
            raise ClaimkindError(
                f"dataset.contamination_hashes names {path}, which does not exist: correct or remove it"
            )
        found = digests.isin(path.read_text(encoding="utf-8").split()).to_numpy()
        if found.any():
            raise ClaimkindError(
                f"{found.sum()} sentences of the benchmark {path.stem} are in the source "
                f"{origins[found].iloc[0]}, and nothing may be trained on it: take them out"
            )


def divide(gathered: Gathered, config: DatasetConfig) -> tuple[dict[str, pd.DataFrame], Evidence]:
    """Rows of each split, sorted by id, with their evidence; validation and test hold labelled rows only."""
    shares = {"validation": config.validation_share, "test": config.test_share}
    pinned = gathered.rows["pinned"].groupby(gathered.rows["group"]).transform("any")
    rows = gathered.rows.assign(pinned=pinned)[gathered.kept]
    side = split_by_group(rows, shares=shares, seed=config.split_seed)
    # Measured on repeated rows too: what two corpora say of one sentence tells about both.
    sides = gathered.rows["group"].map(dict(zip(rows["group"], side, strict=True)))
    evidence = fix_evidence(measure_evidence(gathered.rows, sides == "train"), gathered.fixed_evidence)
    rows = rows.assign(evidence=list(evidence_rows(rows, evidence)))
    parts = {name: rows[side == name].sort_values("id", ignore_index=True) for name in SPLITS}
    labelled = {name: part if name == "train" else part[part["label"].notna()] for name, part in parts.items()}
    return labelled, evidence


def _describe(
    config: DatasetConfig,
    notes: Mapping[str, Any],
    splits: Mapping[str, pd.DataFrame],
    evidence: Evidence,
    folder: Path,
) -> dict[str, Any]:
    """What the manifest says of a dataset; no dates and no paths, so that the same input gives the same bytes."""
    settings = {
        key: value
        for key, value in asdict(config).items()
        if key not in ("sources", "contamination_hashes", "corrections")
    }
    return {
        "name": config.name,
        "claimkind": __version__,
        "command": f"python scripts/build_dataset.py dataset={config.name}",
        "settings": {**settings, "sources": list(config.sources)},
        "labels": list(LABELS),
        "rows": {name: len(part) for name, part in splits.items()},
        **notes,
        "evidence": evidence,
        "fingerprint": fingerprint({name: sha256_file(folder / f"{name}.parquet") for name in splits}),
    }


def load_dataset(data_dir: str | Path, name: str) -> BuiltDataset:
    """Load a built dataset after checking its digests.

    Raises:
        ClaimkindError: it was not built, or a file is missing or damaged.
    """
    return _loaded(Path(data_dir) / name, name)[0]


def _loaded(folder: Path, name: str) -> tuple[BuiltDataset, dict[str, Any]]:
    """A dataset and its manifest, whose digests are checked once."""
    remedy = f"build it with `python scripts/build_dataset.py dataset={name}`"
    manifest = read_manifest(folder, "a dataset", remedy)
    splits = {split: read_rows(folder / f"{split}.parquet") for split in SPLITS}
    return BuiltDataset(name, manifest["fingerprint"], folder, splits), manifest


def load_configured(config: DatasetConfig, data_dir: str | Path) -> BuiltDataset:
    """Load the dataset of a configuration that may say more of it than its name.

    Raises:
        ClaimkindError: as `load_dataset`, or the configuration asks for shares, a licence, a threshold or a seed that
            the dataset was not built with. Its sources, corrections and the like are those of the build, whatever is
            asked.
    """
    dataset, manifest = _loaded(Path(data_dir) / config.name, config.name)
    built = manifest["settings"]
    for entry in fields(DatasetConfig):
        asked = getattr(config, entry.name)
        # What has its default was not asked for: a dataset that was built otherwise is named, and no more.
        if entry.name in _SETTINGS_OF_A_BUILD and asked not in (entry.default, built[entry.name]):
            raise ClaimkindError(
                f"dataset.{entry.name}={asked}, but {dataset.folder} was built with {built[entry.name]}: give it to "
                "scripts/build_dataset.py first, with a dataset.name of its own to keep both"
            )
    return dataset
