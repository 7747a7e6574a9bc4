"""Building a dataset: read the sources, check, split by group, write parquet, card and manifest."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from datasets import Dataset

from claimkind import __version__
from claimkind.config import BuildDatasetConfig, DatasetConfig, build
from claimkind.dataset.card import write_card
from claimkind.dataset.rows import SPLITS, Source, check_unique, complete, read_rows, write_rows
from claimkind.dataset.split import split_by_group
from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS, one_hot
from claimkind.manifest import fingerprint, read_manifest, sha256_file, write_manifest


class BuiltDataset(NamedTuple):
    """A dataset as `load_dataset` gives it."""

    name: str
    fingerprint: str
    folder: Path
    splits: dict[str, Dataset]


def run(config: BuildDatasetConfig) -> Path:
    """Build the dataset that a configuration describes into `<data_dir>/<name>/`, replacing an older one.

    Returns:
        The folder.

    Raises:
        ClaimkindError: a source is not as it should be; an older dataset is then still in place.
    """
    folder = Path(config.data_dir) / config.dataset.name
    rows = gather(config.dataset.sources)
    draft = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    splits = _divide(rows, config.dataset)
    for name, part in splits.items():
        write_rows(part, draft / f"{name}.parquet")
    description = describe(config.dataset, splits, draft)
    write_card(draft / "README.md", description, splits)
    write_manifest(draft, description)
    shutil.rmtree(folder, ignore_errors=True)
    draft.replace(folder)
    counts = ", ".join(f"{len(part):,} {name}" for name, part in splits.items())
    print(f"{folder}: {counts}; fingerprint {description['fingerprint']}")  # noqa: T201
    return folder


def gather(sources: Mapping[str, Any]) -> pd.DataFrame:
    """Read every source of a dataset's configuration into one table of complete rows, without evidence yet."""
    if not sources:
        raise ClaimkindError(
            "dataset.sources is empty, expected at least one: +source@dataset.sources.documents=documents"
        )
    read = []
    for name, settings in sources.items():
        source: Source = build(settings, f"dataset.sources.{name}", "claimkind.dataset")
        read.append(complete(source.read(name), name))
    rows = pd.concat(read, ignore_index=True)
    check_unique(rows)
    return rows


def _divide(rows: pd.DataFrame, config: DatasetConfig) -> dict[str, pd.DataFrame]:
    """Rows of each split, sorted by id; validation and test hold labelled rows only."""
    shares = {"validation": config.validation_share, "test": config.test_share}
    splits = split_by_group(rows, shares=shares, seed=config.split_seed, always_test=config.always_test)
    rows = rows.assign(evidence=list(_evidence(rows)))
    parts = {name: rows[splits == name].sort_values("id", ignore_index=True) for name in SPLITS}
    return {name: part if name == "train" else part[part["label"].notna()] for name, part in parts.items()}


def _evidence(rows: pd.DataFrame) -> np.ndarray:
    evidence = np.ones((len(rows), len(LABELS)))
    labelled = rows["label"].notna().to_numpy()
    evidence[labelled] = one_hot(rows.loc[labelled, "label"].tolist())
    return evidence


def describe(config: DatasetConfig, splits: Mapping[str, pd.DataFrame], folder: Path) -> dict[str, Any]:
    """What the manifest says of a dataset; no dates and no paths, so that the same input gives the same bytes."""
    settings = asdict(config)
    for source in settings["sources"].values():
        source.pop("documents", None)
        source.pop("labels", None)
    return {
        "name": config.name,
        "claimkind": __version__,
        "command": f"python scripts/build_dataset.py dataset={config.name}",
        "settings": settings,
        "labels": list(LABELS),
        "rows": {name: len(part) for name, part in splits.items()},
        "fingerprint": fingerprint({name: sha256_file(folder / f"{name}.parquet") for name in splits}),
    }


def load_dataset(data_dir: str | Path, name: str) -> BuiltDataset:
    """Load a built dataset after checking its digests.

    Raises:
        ClaimkindError: it was not built, or a file is missing or damaged.
    """
    folder = Path(data_dir) / name
    remedy = f"build it with `python scripts/build_dataset.py dataset={name}`"
    manifest = read_manifest(folder, "a dataset", remedy)
    splits = {split: read_rows(folder / f"{split}.parquet") for split in SPLITS}
    return BuiltDataset(name, manifest["fingerprint"], folder, splits)
