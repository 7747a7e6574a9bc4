"""Building a dataset: gather the rows, split them by group, write parquet files, data card and manifest."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from claimkind import __version__
from claimkind.command import overrides
from claimkind.config import BuildDatasetConfig, DatasetConfig, build
from claimkind.dataset.card import write_card
from claimkind.dataset.contamination import check_contamination
from claimkind.dataset.corrections import apply_corrections
from claimkind.dataset.evidence import Evidence, evidence_rows, measure_evidence, override_evidence
from claimkind.dataset.folder import (
    CARD,
    check_name,
    check_replaceable,
    dataset_folder,
    held_for_building,
    replaced_folder,
)
from claimkind.dataset.gather import (
    Deduplicated,
    check_licence,
    find_duplicates,
    pin_documents,
    read_sources,
    select_usable,
)
from claimkind.dataset.near_duplicates import normalise
from claimkind.dataset.rows import SPLITS, write_rows
from claimkind.dataset.sources.base import Source
from claimkind.dataset.split import check_shares, split_by_group
from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS
from claimkind.manifest import fingerprint, sha256_file, write_manifest

# Not among the settings in the manifest: files, whose paths differ between machines, and sources, kept by name alone.
_LEFT_OUT = ("sources", "contamination_hashes", "corrections")


class BuildSummary(NamedTuple):
    """What was built."""

    folder: Path
    rows: dict[str, int]
    """Number of rows of each split."""
    fingerprint: str

    def text(self) -> str:
        """One line for the console."""
        counts = ", ".join(f"{count:,} {name}" for name, count in self.rows.items())
        return f"{self.folder}: {counts}; fingerprint {self.fingerprint}"


def run(config: BuildDatasetConfig) -> BuildSummary:
    """Build the dataset of a configuration into `<data_dir>/<name>/`, replacing an older one.

    Raises:
        ClaimkindError: a source or a setting is not as it should be, or another process builds this dataset; an older
            dataset is then left as it was.
    """
    folder = dataset_folder(config.paths.data_dir, config.dataset.name)
    check_replaceable(folder)
    with held_for_building(folder):
        return _build(config.dataset, folder)


def _build(dataset: DatasetConfig, folder: Path) -> BuildSummary:
    shares = {"validation": dataset.validation_share, "test": dataset.test_share}
    check_shares(shares)
    check_licence(dataset.licence)
    sources = _build_sources(dataset.sources)
    read = read_sources(sources)
    read["first_label"] = read["label"]
    corrected = apply_corrections(read, dataset.corrections)
    usable = pin_documents(select_usable(read, dataset.licence), dataset.always_test)
    keys = pd.Series([normalise(text) for text in usable["text"]])
    check_contamination(keys, usable["source"], dataset.contamination_hashes)
    found = find_duplicates(usable, keys, dataset.near_duplicate_threshold)
    rows = found.rows.assign(split=_assign_splits(found, shares, dataset.split_seed))
    fixed = {name: source.evidence for name, source in sources.items() if source.evidence}
    evidence = override_evidence(measure_evidence(rows, rows["split"] == "train"), fixed)
    description = {
        **_describe(asdict(dataset)),
        "citations": {name: source.citation for name, source in sources.items() if source.citation},
        "provenance": {name: source.provenance for name, source in sources.items() if source.provenance},
        "left_out_by_licence_or_without_any_label": len(read) - len(usable),
        "corrected_labels": corrected,
        **found.counts,
        "evidence": evidence,
    }
    return _write(folder, description, _rows_by_split(rows[found.kept], evidence))


def _build_sources(settings: Mapping[str, Any]) -> dict[str, Source]:
    if not settings:
        raise ClaimkindError("dataset.sources is empty, expected at least one: give dataset=bundled, for example")
    for name in settings:
        check_name(name, "the name of a source in dataset.sources")
    return {name: build(source, f"dataset.sources.{name}", "claimkind.dataset") for name, source in settings.items()}


def _assign_splits(found: Deduplicated, shares: dict[str, float], seed: int) -> pd.Series:
    """The split of each row. Duplicates have one too: evidence is measured on all that sources say of a sentence.

    The labels before corrections decide the strata, so that a correction moves no row to another split.
    """
    pinned = found.rows["pinned"].groupby(found.rows["group"]).transform("any")
    kept = found.rows.assign(pinned=pinned, label=found.rows["first_label"])[found.kept]
    splits = split_by_group(kept, shares=shares, seed=seed)
    return found.rows["group"].map(dict(zip(kept["group"], splits, strict=True)))


def _rows_by_split(rows: pd.DataFrame, evidence: Evidence) -> dict[str, pd.DataFrame]:
    """The rows of each split, sorted by id, with their evidence; validation and test hold labelled rows only."""
    rows = rows.assign(evidence=list(evidence_rows(rows, evidence)))
    usable = rows["label"].notna() | (rows["split"] == "train")
    rows = rows[usable].sort_values("id")
    return {name: rows[rows["split"] == name].reset_index(drop=True) for name in SPLITS}


def _describe(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the manifest holds about the settings; no dates and no paths, so that equal input gives equal bytes."""
    kept = {key: value for key, value in settings.items() if key not in _LEFT_OUT}
    return {
        "name": settings["name"],
        "claimkind": __version__,
        "command": _command(),
        "settings": {**kept, "sources": list(settings["sources"])},
        "labels": list(LABELS),
    }


def _command() -> str | None:
    """The command line that builds the dataset again, without paths; None if no script is running."""
    given = overrides("build_dataset", "dataset")
    if given is None:
        return None
    kept = [argument for argument in given if not argument.lstrip("+").startswith("paths.")]
    return shlex.join(["python", "scripts/build_dataset.py", *kept])


def _write(folder: Path, description: Mapping[str, Any], splits: Mapping[str, pd.DataFrame]) -> BuildSummary:
    """Write the files of a dataset, the manifest last, in the place of an older one."""
    counts = {name: len(part) for name, part in splits.items()}
    with replaced_folder(folder) as draft:
        for name, part in splits.items():
            write_rows(part, draft / f"{name}.parquet")
        digest = fingerprint({name: sha256_file(draft / f"{name}.parquet") for name in splits})
        content = {**description, "rows": counts, "fingerprint": digest}
        write_card(draft / CARD, content, splits)
        write_manifest(draft, content)
    return BuildSummary(folder, counts, digest)
