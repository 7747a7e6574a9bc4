"""Loading a dataset that `scripts/build_dataset.py` has built."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from datasets import Dataset

from claimkind.command import build_command
from claimkind.dataset.folder import dataset_folder, held_for_reading
from claimkind.dataset.rows import SPLITS, read_rows
from claimkind.errors import ClaimkindError
from claimkind.manifest import MANIFEST, fingerprint, read_manifest

_CHECKED = ("validation_share", "test_share", "licence", "near_duplicate_threshold", "split_seed")


class BuiltDataset(NamedTuple):
    """A dataset as `load_dataset` returns it."""

    name: str
    fingerprint: str
    """Digest of its rows: datasets with equal rows have equal fingerprints."""
    folder: Path
    splits: dict[str, Dataset]
    """`train`, `validation` and `test`; see `rows.FEATURES` for the columns."""


def load_dataset(data_dir: str | Path, name: str, expected: Mapping[str, Any] | None = None) -> BuiltDataset:
    """Load a built dataset after checking the digests of its files.

    Args:
        data_dir: folder of all datasets.
        name: of the dataset.
        expected: settings that it must have been built with, by name (`config.changed_settings(config.dataset)`). Of
            these the shares, the licence, the threshold and the seed are compared, and the rest is ignored.

    Raises:
        ClaimkindError: the dataset was not built, a file is missing or damaged, or a setting is another one.
    """
    folder = dataset_folder(data_dir, name)
    remedy = f"build it with `{build_command(name)}`"
    with held_for_reading(folder):
        manifest = read_manifest(folder, "a dataset", remedy)
        _check_content(folder, manifest, remedy)
        _check_settings(folder, manifest["settings"], expected or {})
        splits = {split: read_rows(folder / f"{split}.parquet") for split in SPLITS}
    for split, rows in splits.items():
        if len(rows) != manifest["rows"].get(split):
            raise ClaimkindError(
                f"{folder / split}.parquet has {len(rows):,} rows, expected {manifest['rows'].get(split)} by "
                f"{MANIFEST}: {remedy}"
            )
    return BuiltDataset(name, manifest["fingerprint"], folder, splits)


def _check_content(folder: Path, manifest: Mapping[str, Any], remedy: str) -> None:
    """Check that a manifest has the entries of a dataset, and that its fingerprint is that of its files."""
    files = manifest["files"]
    if not all(isinstance(manifest.get(entry), dict) for entry in ("rows", "settings")):
        raise ClaimkindError(f"{folder / MANIFEST} is of no dataset, expected its `rows` and `settings`: {remedy}")
    if manifest.get("fingerprint") != fingerprint({split: files.get(f"{split}.parquet") for split in SPLITS}):
        raise ClaimkindError(
            f"{folder / MANIFEST} has the fingerprint {manifest.get('fingerprint')}, which is not that of its files: "
            f"{remedy}"
        )


def _check_settings(folder: Path, built: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    for name in _CHECKED:
        if name in expected and expected[name] != built.get(name):
            raise ClaimkindError(
                f"dataset.{name}={expected[name]}, but {folder} was built with {built.get(name)}: give the setting to "
                "scripts/build_dataset.py first, with another dataset.name to keep both"
            )
