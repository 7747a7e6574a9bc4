"""Publishing a saved model on the Hugging Face hub, with its card."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import yaml
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

from claimkind import models, tracking
from claimkind.config import PublishConfig
from claimkind.errors import ClaimkindError, first_line
from claimkind.manifest import MANIFEST, listed_files
from claimkind.text.front_matter import split_front_matter

_CARD = "README.md"
_TRANSFORMER = """
With plain transformers, whose probabilities are not calibrated:

```python
from transformers import pipeline

classify = pipeline("text-classification", model="{repo_id}", top_k=None)
print(classify("The vote could slip."))
```
"""
_USE = """
## Use

```python
import claimkind
from huggingface_hub import snapshot_download

model = claimkind.load(snapshot_download("{repo_id}"))
print(model.score("The vote is on Tuesday. It could slip.")[["text", "label", "p_speculative"]])
```
"""


class Published(NamedTuple):
    """Where a model was published."""

    address: str
    """Of the repository, or the folder that was written."""
    licence: str
    """The hub's name of the licence on the card."""

    def text(self) -> str:
        """One line."""
        return f"{self.address} (licence {self.licence})"


def run(config: PublishConfig) -> Published:
    """Publish a saved model; see `configs/publish.yaml`.

    Raises:
        ClaimkindError: no training run logged a card for the model, sentences under a licence that forbids commercial
            use went into its weights, or the hub refuses the upload.
    """
    card = _card(config.model_uri)
    licence = str(yaml.safe_load(split_front_matter(card)[1])["license"])
    if not config.non_commercial and ("-nc" in licence or licence == "other"):
        raise ClaimkindError(
            f"{config.model_uri} was trained on sentences whose strictest licence is {licence!r}, expected one that "
            "allows commercial use: train on a dataset that was built with dataset.licence=commercial, or give "
            "non_commercial=true"
        )
    if config.folder:
        _write(Path(config.folder), config, card)
        return Published(config.folder, licence)
    with tempfile.TemporaryDirectory() as scratch:
        _write(Path(scratch) / "model", config, card)
        with _hub_errors_explained(config.repo_id):
            address = _upload(Path(scratch) / "model", config)
    return Published(address, licence)


def _card(model_uri: str) -> str:
    run = tracking.origin_of(model_uri).run
    if run is None:
        raise ClaimkindError(
            f"model_uri={model_uri} names no model of a run, expected models:/NAME@ALIAS, models:/NAME/VERSION or "
            "models:/ID: its run holds the card"
        )
    return tracking.fetch_text(run.run_id, tracking.HUB_CARD)


def _write(target: Path, config: PublishConfig, card: str) -> None:
    """Copy the files that the manifest lists, and write the card."""
    if target.exists():
        raise ClaimkindError(f"folder={target} exists, expected a new one: choose another")
    source = tracking.fetch_folder(config.model_uri)
    family = models.family_of(models.load(source))  # checks the digests
    target.mkdir(parents=True)
    for name in (MANIFEST, *listed_files(source)):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)
    use = _USE + (_TRANSFORMER if family == "transformer" else "")
    (target / _CARD).write_text(card + use.format(repo_id=config.repo_id), encoding="utf-8")


def _upload(folder: Path, config: PublishConfig) -> str:
    hub = HfApi()
    address = hub.create_repo(config.repo_id, private=config.private, exist_ok=True)
    hub.upload_folder(repo_id=config.repo_id, folder_path=folder, commit_message="Publish a claimkind model")
    return str(address)


@contextmanager
def _hub_errors_explained(repo_id: str) -> Iterator[None]:
    try:
        yield
    except HFValidationError:
        raise ClaimkindError(f"repo_id={repo_id} is no name of a repository, expected OWNER/NAME: correct it") from None
    except LocalTokenNotFoundError:
        raise ClaimkindError("the hub needs a token that may write: run `hf auth login`, or set HF_TOKEN") from None
    except (HfHubHTTPError, OSError) as error:
        raise ClaimkindError(
            f"the hub did not take {repo_id} ({first_line(error)}): check the network, the token and the name"
        ) from None
