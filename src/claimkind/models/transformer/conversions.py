"""The user's cache of converted models: safe for several processes at once, and written whole or not at all."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from claimkind.errors import ClaimkindError
from claimkind.manifest import read_manifest, write_manifest

_LOGGER = logging.getLogger(__name__)
_GRAPH = "model.xml"


def cached_conversion(key: str, convert_to: Callable[[Path], None]) -> Path:
    """The file of a converted model, converted if it is not in the cache or was damaged there.

    One process converts, others wait for it.

    Args:
        key: name of the folder in the cache.
        convert_to: writes the converted model to a path, and further files beside it.

    Raises:
        OSError: the cache cannot be written.
    """
    from platformdirs import user_cache_path  # of the extra `openvino`

    cache = user_cache_path("claimkind") / "openvino"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / key
    with FileLock(cache / f"{key}.lock"):
        if not _is_whole(folder):
            _write(folder, convert_to)
    return folder / _GRAPH


def _is_whole(folder: Path) -> bool:
    try:
        return _GRAPH in read_manifest(folder, "a converted model", "convert it again")["files"]
    except ClaimkindError:
        return False


def _write(folder: Path, convert_to: Callable[[Path], None]) -> None:
    draft = folder.with_name(f".{folder.name}.part")
    for old in (draft, folder):
        shutil.rmtree(old, ignore_errors=True)
    draft.mkdir()
    try:
        convert_to(draft / _GRAPH)
        write_manifest(draft, {})
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    _LOGGER.info("the model was converted for OpenVINO, once, to %s", folder)
