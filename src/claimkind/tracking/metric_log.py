"""Sending the metrics of a run, which are kept in a file while the store does not answer."""

import contextlib
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
from filelock import FileLock
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from claimkind.errors import first_line, is_disk_full
from claimkind.manifest import fingerprint, lock

_LOGGER = logging.getLogger(__name__)
UNSENT = "mlflow-unsent"
"""Folder in the working folder."""
_PAUSE_SECONDS = 60
_PAUSE_FACTOR = 10
"""Pause before the store is tried again, in multiples of the time that the last try took: a training waits for at most
a tenth of its time."""
STORE_ERRORS = (MlflowException, OSError, SQLAlchemyError)
"""What MLflow raises when a store does not answer; those of requests are an `OSError`."""
_REFUSALS = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "INVALID_STATE", "BAD_REQUEST", "PERMISSION_DENIED")


class MetricLog:
    """The metrics of one run: each is sent once, with the time at which it was logged."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.sent: set[tuple[str, int]] = set()
        """The names and steps that were logged."""
        self.next_try = 0.0
        """When the store is tried again, in seconds of `time.monotonic`."""

    def skip_logged(self) -> None:
        """Do not log again what the run has: when it is resumed, some steps are repeated."""
        client = mlflow.MlflowClient()
        keys = client.get_run(self.run_id).data.metrics
        self.sent |= {(key, point.step) for key in keys for point in client.get_metric_history(self.run_id, key)}

    def log(self, metrics: Mapping[str, float], step: int, links: Mapping[str, str]) -> None:
        """Log metrics of a step, linked with what `links` names: `model_id`, `dataset_name` and `dataset_digest`.

        Raises:
            MlflowException: the run was deleted, for example.
            OSError: the file cannot be written.
        """
        new = {key: value for key, value in metrics.items() if (key, step) not in self.sent}
        now = int(time.time() * 1000)
        points = [
            {"key": key, "value": float(value), "timestamp": now, "step": step, **links} for key, value in new.items()
        ]
        self.sent |= {(key, step) for key in new}
        if time.monotonic() < self.next_try or not self._send(points):
            _keep(self.run_id, points)

    def end(self, status: str) -> None:
        """End the run with a status, now or when the store answers again."""
        try:
            mlflow.end_run(status)
            self.flush()
        except STORE_ERRORS as error:
            _LOGGER.warning("run %s cannot be ended in the MLflow store now (%s)", self.run_id, first_line(error))
            if not is_refusal(error) and not is_disk_full(error):
                _keep(self.run_id, [{"status": status, "timestamp": int(time.time() * 1000)}])

    def flush(self) -> None:
        """Send what was kept.

        Raises:
            MlflowException, OSError: the store does not answer.
        """
        count = _send_kept(unsent_file(self.run_id))
        if self.next_try:
            _LOGGER.info("the MLflow store answers again: %d metrics of the run were sent", count)
        self.next_try = 0.0

    def _send(self, points: list[dict[str, Any]]) -> bool:
        """Send what was kept and further points; False if the store does not answer."""
        began = time.monotonic()
        try:
            self.flush()
            _send_points(self.run_id, points)
        except STORE_ERRORS as error:
            if is_refusal(error):
                raise
            waited = time.monotonic() - began
            if not self.next_try:
                _LOGGER.warning(
                    "the MLflow store %s does not answer after %.0f s (%s): the metrics are kept in %s and sent when "
                    "it does; the training goes on",
                    mlflow.get_tracking_uri(), waited, first_line(error), unsent_file(self.run_id),
                )  # fmt: skip
            self.next_try = time.monotonic() + max(_PAUSE_SECONDS, _PAUSE_FACTOR * waited)
            return False
        return True


def is_refusal(error: Exception) -> bool:
    """Whether the store answered that it does not take this, for example because the run was deleted."""
    return isinstance(error, MlflowException) and error.error_code in _REFUSALS


def unsent_file(run_id: str) -> Path:
    """The file of a run's metrics that were not sent, whether it exists or not."""
    return Path(UNSENT).absolute() / f"{_store_key()}-{run_id}.jsonl"


def send_unsent() -> None:
    """Send what earlier scripts that were started in this folder have kept for the current store.

    Raises:
        MlflowException, OSError: the store does not answer.
    """
    for path in sorted(Path(UNSENT).absolute().glob(f"{_store_key()}-*.jsonl")):
        try:
            count = _send_kept(path)
        except MlflowException as error:
            if not is_refusal(error):
                raise
            _LOGGER.warning("the metrics in %s are refused (%s): delete the file", path, first_line(error))
        else:
            _LOGGER.info("%d metrics of the run %s were sent that were kept in %s", count, _run_of(path), path)


def _run_of(path: Path) -> str:
    return path.stem.rpartition("-")[2]


def _store_key() -> str:
    return fingerprint({"store": mlflow.get_tracking_uri()})


def _keep(run_id: str, entries: list[dict[str, Any]]) -> None:
    path = unsent_file(run_id)
    with _held(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as stream:
            stream.write("".join(json.dumps(entry) + "\n" for entry in entries))


def _send_kept(path: Path) -> int:
    """Send what a file holds, and delete it; the number of metrics.

    Sent twice, after a kill, metrics are stored once: they have the same time.
    """
    if not path.exists():
        return 0
    with _held(path):
        if not path.exists():  # another script has sent it
            return 0
        entries = _read(path)
        points = [entry for entry in entries if "key" in entry]
        _send_points(_run_of(path), points)
        for entry in entries:
            if "status" in entry:
                mlflow.MlflowClient().set_terminated(_run_of(path), entry["status"], entry["timestamp"])
        path.unlink()
        with contextlib.suppress(OSError):  # other files are in it
            path.parent.rmdir()
    return len(points)


def _held(path: Path) -> FileLock:
    return lock(str(path.parent))


def _read(path: Path) -> list[dict[str, Any]]:
    """The entries of a file; its last line may be cut off."""
    entries = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entries.append(dict(json.loads(line)))
        except ValueError:
            _LOGGER.warning("a line in %s is damaged and is left out", path)
    return entries


def _send_points(run_id: str, points: list[dict[str, Any]]) -> None:
    if points:
        mlflow.MlflowClient().log_batch(run_id, [Metric(**point, run_id=run_id) for point in points])
