"""Saving and loading a model of any family; loading runs no code from the saved folder."""

import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from claimkind import __version__
from claimkind.errors import ClaimkindError, first_line
from claimkind.labels import LABELS
from claimkind.manifest import MANIFEST, read_manifest, write_manifest
from claimkind.models.base import Classifier, Predictor
from claimkind.models.calibration import CalibratedClassifier, uncalibrated
from claimkind.models.inference import ChoosesBackend, Inference
from claimkind.models.sample import SAMPLE, check_sample, predict_sample

FORMAT = 3
"""Number of the folder's format; each incompatible change raises it."""
_WITHOUT_SAMPLE = 2  # the last format without stored predictions, which loads without comparing them
_REMEDY = "train it again, or fetch it again from where it was logged"


def family_of(classifier: Predictor) -> str:
    """Name of a classifier's family: the module that defines it, looking inside a calibrated one."""
    return type(uncalibrated(classifier)).__module__.split(".")[2]  # claimkind.models.<family>, a module or a package


def save(classifier: Predictor, folder: Path) -> None:
    """Save a fitted classifier to a new folder, the manifest last.

    Raises:
        ClaimkindError: the folder exists and is not empty, the classifier was not fitted, or its predictions are not
            finite.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ClaimkindError(f"{folder} is not empty, expected a new folder for the model: choose another")
    sample = predict_sample(uncalibrated(classifier))
    folder.mkdir(parents=True, exist_ok=True)
    classifier.save(folder)
    description: dict[str, Any] = {
        "format": FORMAT,
        "family": family_of(classifier),
        "labels": list(LABELS),
        "claimkind": __version__,
        SAMPLE: sample,
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


def check(folder: Path) -> dict[str, Any]:
    """Check that a folder holds a whole saved model, without loading it.

    Args:
        folder: that `save` wrote.

    Returns:
        The manifest's content.

    Raises:
        ClaimkindError: the folder holds no saved model, a file is missing, damaged or not listed in the manifest, or
            the model has another format, other labels or an unknown family.
    """
    manifest = read_manifest(folder, "a saved model", _REMEDY)
    _check_format(manifest, folder)
    if manifest.get("labels") != list(LABELS):
        raise ClaimkindError(f"{folder} has the labels {manifest.get('labels')}, expected {list(LABELS)}: {_REMEDY}")
    for name in _class_of(str(manifest.get("family")), folder).files:
        if name not in manifest["files"]:
            raise ClaimkindError(f"{folder / MANIFEST} does not list {name}, which the model is loaded from: {_REMEDY}")
    return manifest


def load(folder: str | Path, inference: Inference = Inference()) -> Predictor:  # noqa: B008 - it is immutable
    """Load a saved classifier of any family after checking its digests; nothing in the folder is executed.

    Args:
        folder: that `save` wrote.
        inference: how the classifier computes its predictions.

    Raises:
        ClaimkindError: the folder holds no saved model, see `check`, its files do not load, the model gives other
            probabilities than when it was saved, or it cannot be computed as `inference` says.
    """
    folder = Path(folder)
    manifest = check(folder)
    classifier = _loaded(_class_of(manifest["family"], folder), folder)
    _set_inference(classifier, inference, manifest["family"])
    if manifest["format"] > _WITHOUT_SAMPLE:
        check_sample(classifier, manifest.get(SAMPLE), folder)
    return _calibrated(classifier, manifest, folder) if "temperature" in manifest else classifier


def _loaded(family: type[Classifier], folder: Path) -> Classifier:
    try:
        return family.load(folder)
    except ClaimkindError:
        raise
    except Exception as error:  # of any library that reads the files
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise ClaimkindError(f"{folder} does not load ({reason}), expected a saved model: {_REMEDY}") from error


def _set_inference(classifier: Classifier, inference: Inference, family: str) -> None:
    if isinstance(classifier, ChoosesBackend):
        classifier.set_inference(inference.resolved())
    elif inference != Inference():
        raise ClaimkindError(
            f"the model is of the family {family}, whose computation cannot be chosen, expected a transformer: leave "
            "inference.backend and inference.precision out"
        )


def _check_format(manifest: Mapping[str, Any], folder: Path) -> None:
    found = manifest.get("format", 1)  # the first format had no number
    if type(found) is not int or not _WITHOUT_SAMPLE <= found <= FORMAT:
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
        except KeyError:
            pass
        except ModuleNotFoundError as error:
            if not str(error.name).startswith("claimkind."):
                raise  # a package that the family needs is not installed
    raise ClaimkindError(f"{folder} is of the family {family!r}, which this version of claimkind does not have: update")


def _calibrated(classifier: Predictor, manifest: Mapping[str, Any], folder: Path) -> CalibratedClassifier:
    try:
        return CalibratedClassifier(classifier, manifest["temperature"], manifest["abstain_below"])
    except ClaimkindError as error:
        raise ClaimkindError(f"{folder / MANIFEST}: {error}") from None
    except KeyError:
        raise ClaimkindError(f"{folder / MANIFEST} has a temperature but no abstain_below: {_REMEDY}") from None
