"""The MLflow UI on this machine, opened on the leaderboard."""

import logging
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from typing import IO

import mlflow

from claimkind.config import UiConfig
from claimkind.errors import ClaimkindError
from claimkind.tracking.links import address
from claimkind.tracking.signals import exit_on_signals
from claimkind.tracking.store import prepare_store
from claimkind.tracking.views import view_page

_LOGGER = logging.getLogger(__name__)
_HOST = "127.0.0.1"
_PAUSE_SECONDS = 0.5


def run(config: UiConfig) -> None:
    """Serve the MLflow UI until Ctrl-C, for this machine only; see `configs/ui.yaml`.

    With a tracking server, whose UI is running already, only the address is shown.

    Raises:
        ClaimkindError: the store does not answer, the port is taken, or the server does not start.
    """
    remote = mlflow.get_tracking_uri().startswith("http")
    if not remote:
        _check_port(config.port)
    experiment_id = prepare_store(config.experiment_name)
    leaderboard = address(view_page(experiment_id, "leaderboard"), config.port)
    if remote:
        _LOGGER.info("Leaderboard: %s", leaderboard)
    else:
        _serve(config.port, leaderboard)


def _check_port(port: int) -> None:
    try:
        with socket.create_server((_HOST, port)):
            pass
    except (OSError, OverflowError):
        raise ClaimkindError(
            f"port={port} is taken or not allowed, expected a free one: stop the other server, or give port=5001"
        ) from None


def _serve(port: int, leaderboard: str) -> None:
    # Without the job runner, which is for language model applications, the server takes a fifth of the memory.
    environment = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **os.environ}
    command = [
        sys.executable, "-m", "mlflow", "ui", "--host", _HOST, "--port", str(port), "--workers", "1",
        "--backend-store-uri", mlflow.get_tracking_uri(), "--uvicorn-opts", "--log-level warning",
    ]  # fmt: skip
    with (
        tempfile.TemporaryFile("w+") as log,
        exit_on_signals(),
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as server,  # noqa: S603
    ):
        try:
            _wait_until_up(server, log, port)
            _LOGGER.info("Leaderboard: %s\nStop the server with Ctrl-C.", leaderboard)
            server.wait()
        except KeyboardInterrupt:
            pass
        finally:
            server.terminate()


def _wait_until_up(server: "subprocess.Popen[bytes]", log: IO[str], port: int) -> None:
    while True:
        try:
            with urllib.request.urlopen(f"http://{_HOST}:{port}/health", timeout=5):
                return
        except OSError:
            if server.poll() is not None:
                log.seek(0)
                last = (log.read().split("\n\n")[-1].strip() or "no message").splitlines()[-1]
                raise ClaimkindError(f"the MLflow server did not start ({last}): give another port") from None
            time.sleep(_PAUSE_SECONDS)
