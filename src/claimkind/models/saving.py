"""How a model of any family is saved, and loaded again without running anything that was saved."""

import importlib
import re
from pathlib import Path
from typing import Any

from claimkind import __version__
from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS
from claimkind.manifest import MANIFEST, read_manifest, write_manifest
from claimkind.models.base import Classifier, Predictor
from claimkind.models.calibration import CalibratedClassifier, check_numbers

_REMEDY = "train it again, or fetch it again from where it was logged"


def family_of(classifier: Predictor) -> str:
    """The name of a classifier's family: that of its module, or of the classifier that a calibrated one holds."""
    if isinstance(classifier, CalibratedClassifier):
        return family_of(classifier.classifier)
    return type(classifier).__module__.split(".")[2]  # claimkind.models.<family>, a module or a package


def save(classifier: Predictor, folder: Path) -> None:
    """Save a fitted classifier into a new folder, its manifest last.

    Raises:
        ClaimkindError: the folder exists and is not empty, or the classifier was not fitted.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ClaimkindError(f"{folder} is not empty, expected a new folder for the model: choose another")
    folder.mkdir(parents=True, exist_ok=True)
    classifier.save(folder)
    description: dict[str, Any] = {"family": family_of(classifier), "labels": list(LABELS), "claimkind": __version__}
    if isinstance(classifier, CalibratedClassifier):
        description |= {"temperature": classifier.temperature, "abstain_below": classifier.abstain_below}
    write_manifest(folder, description)
    # safetensors lets only its owner read what it writes; a colleague's store must be readable as far as umask says.
    for path in folder.iterdir():
        path.chmod((folder / MANIFEST).stat().st_mode)


def load(folder: str | Path) -> Predictor:
    """Load a saved classifier of any family after checking its digests; nothing in the folder is executed.

    Raises:
        ClaimkindError: the folder is no saved model, a file is missing or damaged, its labels are not ours, or its
            family is not one of this version's.
    """
    folder = Path(folder)
    manifest = read_manifest(folder, "a saved model", _REMEDY)
    if manifest.get("labels") != list(LABELS):
        raise ClaimkindError(f"{folder} has the labels {manifest.get('labels')}, expected {list(LABELS)}: {_REMEDY}")
    classifier = _class_of(str(manifest.get("family")), folder).load(folder)
    if "temperature" not in manifest:
        return classifier
    return CalibratedClassifier(
        classifier, *check_numbers(manifest["temperature"], manifest.get("abstain_below"), folder)
    )


def _class_of(family: str, folder: Path) -> type[Classifier]:
    # A bare name, never a dotted path: a manifest must not be able to import what it likes.
    name = "".join(part.capitalize() for part in family.split("_")) + "Classifier"
    if re.fullmatch(r"[a-z_]+", family):
        try:
            found: type[Classifier] = getattr(importlib.import_module(f"claimkind.models.{family}"), name)
            return found
        except (ModuleNotFoundError, AttributeError):
            pass
    raise ClaimkindError(f"{folder} is of the family {family!r}, which this version of claimkind does not have: update")
