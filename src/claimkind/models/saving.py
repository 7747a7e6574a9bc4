"""Saving and loading a model of any family; loading runs no code from the saved folder."""

import importlib
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from claimkind import __version__
from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS
from claimkind.manifest import MANIFEST, read_manifest, write_manifest
from claimkind.models.base import Classifier, Predictor
from claimkind.models.calibration import CalibratedClassifier

FORMAT = 2
"""Number of the folder's format, to be raised with each change that older code or older models do not go with."""
_REMEDY = "train it again, or fetch it again from where it was logged"


def family_of(classifier: Predictor) -> str:
    """Name of a classifier's family: the module that defines it, looking inside a calibrated one."""
    if isinstance(classifier, CalibratedClassifier):
        return family_of(classifier.classifier)
    return type(classifier).__module__.split(".")[2]  # claimkind.models.<family>, a module or a package


def save(classifier: Predictor, folder: Path) -> None:
    """Save a fitted classifier to a new folder, the manifest last.

    Raises:
        ClaimkindError: the folder exists and is not empty, or the classifier was not fitted.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ClaimkindError(f"{folder} is not empty, expected a new folder for the model: choose another")
    folder.mkdir(parents=True, exist_ok=True)
    classifier.save(folder)
    description: dict[str, Any] = {
        "format": FORMAT,
        "family": family_of(classifier),
        "labels": list(LABELS),
        "claimkind": __version__,
    }
    if isinstance(classifier, CalibratedClassifier):
        description |= {"temperature": classifier.temperature, "abstain_below": classifier.abstain_below}
    write_manifest(folder, description)
    # safetensors makes its files readable by their owner only; a shared store must be readable as umask allows.
    for path in folder.iterdir():
        path.chmod((folder / MANIFEST).stat().st_mode)


def saved_folder(folder: Path) -> Path:
    """The folder that `save` wrote: this one, or the one within a folder that MLflow logged."""
    inner = folder / "artifacts" / "model"
    return inner if inner.is_dir() else folder


def load(folder: str | Path) -> Predictor:
    """Load a saved classifier of any family after checking its digests; nothing in the folder is executed.

    Raises:
        ClaimkindError: the folder holds no saved model, a file is missing or damaged, or the model has another format,
            other labels or an unknown family.
    """
    folder = Path(folder)
    manifest = read_manifest(folder, "a saved model", _REMEDY)
    _check_format(manifest, folder)
    if manifest.get("labels") != list(LABELS):
        raise ClaimkindError(f"{folder} has the labels {manifest.get('labels')}, expected {list(LABELS)}: {_REMEDY}")
    classifier = _class_of(str(manifest.get("family")), folder).load(folder)
    return _calibrated(classifier, manifest, folder) if "temperature" in manifest else classifier


def _check_format(manifest: Mapping[str, Any], folder: Path) -> None:
    found = manifest.get("format", 1)  # the first format had no number
    if found != FORMAT:
        raise ClaimkindError(
            f"{folder} was saved by claimkind {manifest.get('claimkind')} in format {found}, expected format {FORMAT}: "
            "train the model again, or use the version that saved it"
        )


def _class_of(family: str, folder: Path) -> type[Classifier]:
    # A bare name, never a dotted path: a manifest must not import arbitrary code.
    name = "".join(part.capitalize() for part in family.split("_")) + "Classifier"
    if re.fullmatch(r"[a-z_]+", family):
        try:
            found: type[Classifier] = vars(importlib.import_module(f"claimkind.models.{family}"))[name]
            return found
        except (ModuleNotFoundError, KeyError):
            pass
    raise ClaimkindError(f"{folder} is of the family {family!r}, which this version of claimkind does not have: update")


def _calibrated(classifier: Predictor, manifest: Mapping[str, Any], folder: Path) -> CalibratedClassifier:
    found = manifest["temperature"], manifest.get("abstain_below")
    temperature, abstain_below = (value if isinstance(value, int | float) else math.nan for value in found)
    if not (temperature > 0 and 0 <= abstain_below <= 1):
        raise ClaimkindError(
            f"{folder} has the temperature {found[0]} and abstain_below {found[1]}, expected a positive number "
            "and one from 0 to 1: train it again"
        )
    return CalibratedClassifier(classifier, float(temperature), float(abstain_below))
