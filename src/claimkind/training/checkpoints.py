"""The folder of an unfinished training: its checkpoints, its lock and the id of its run."""

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from filelock import Timeout

from claimkind import tracking
from claimkind.config import TrainConfig
from claimkind.dataset.build import BuiltDataset
from claimkind.errors import ClaimkindError
from claimkind.manifest import fingerprint

TRAINING_PARAMS = (
    "evidence_weight", "evidence_sources", "max_evidence", "source_weights", "max_labels", "distil_from",
    "distil_texts", "init_from", "target_precision",
)  # fmt: skip
"""The settings, besides those of the model, by which trainings differ."""


@contextlib.contextmanager
def _work_dir(config: TrainConfig, settings: Mapping[str, Any], dataset: BuiltDataset) -> Iterator[Path]:
    """The folder of checkpoints: the same for the same configuration and data, so that training can go on in it.

    It is taken away once the training is through.
    """
    key = fingerprint(
        {"model": dict(settings), "dataset": dataset.fingerprint, "experiment": config.experiment_name}
        | {name: getattr(config, name) for name in ("seed", *TRAINING_PARAMS)}
    )
    work_dir = Path(config.paths.data_dir) / "checkpoints" / key
    try:
        with tracking.lock(str(work_dir.resolve())).acquire(timeout=0):
            if config.resume and not (work_dir / "run_id").is_file():
                raise ClaimkindError(
                    f"resume=true, but {work_dir} holds no unfinished training like this: leave it out"
                )
            if not config.resume:
                tracking.end_killed_run(_resumed_run(work_dir) or "")  # what kill -9 left there
                shutil.rmtree(work_dir, ignore_errors=True)
            yield work_dir
            shutil.rmtree(work_dir, ignore_errors=True)
    except Timeout:
        raise ClaimkindError(
            f"another process trains with these very settings in {work_dir}: wait for it, or stop it"
        ) from None


def _resumed_run(work_dir: Path) -> str | None:
    path = work_dir / "run_id"
    return path.read_text(encoding="utf-8") if path.is_file() else None
