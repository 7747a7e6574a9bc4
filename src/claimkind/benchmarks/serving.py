"""How a model that `mlflow models serve` serves answers many clients at once: errors, latency and memory."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from claimkind.dataset.load import load_dataset
from claimkind.errors import ClaimkindError

_HOST = "127.0.0.1"
_START_SECONDS, _ANSWER_SECONDS = 180.0, 60.0


class Answer(NamedTuple):
    """What a client got for one sentence."""

    seconds: float
    status: int
    """0 where the server did not answer."""


@dataclass(frozen=True)
class ServingBenchmark:
    """Serves models, one after the other, to clients that each send one sentence after the other."""

    dataset: str
    """A built dataset; its training sentences are sent."""
    data_dir: str
    """Where it is."""
    model_uris: list[str]
    """Logged models, as `mlflow models serve` takes them."""
    clients: int = 50
    """Clients at once."""
    seconds: float = 60.0
    """How long they send sentences."""
    workers: int = 1
    """Processes of the server, each with a copy of the model."""

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            ClaimkindError: there is no model, or a number is not above 0.
        """
        if not self.model_uris:
            raise ClaimkindError("benchmark.model_uris is empty, expected at least one logged model: give one")
        for name in ("clients", "seconds", "workers"):
            if vars(self)[name] <= 0:
                raise ClaimkindError(f"benchmark.{name}={vars(self)[name]}, expected a number above 0")

    def measure(self) -> pd.DataFrame:
        """Requests, errors, latency in milliseconds and memory for each model; see `Benchmark`.

        The memory is that of all processes of the server after a tenth of the time, and at the end.
        """
        sentences = load_dataset(self.data_dir, self.dataset).splits["train"]["text"][:]
        return pd.DataFrame([self._measure(uri, sentences) for uri in tqdm(self.model_uris, desc="models")])

    def _measure(self, model_uri: str, sentences: Sequence[str]) -> dict[str, Any]:
        with serve(model_uri, self.workers) as (url, process):
            for sentence in sentences[:5]:
                send(url, sentence)
            answers: list[Answer] = []
            threads = self._clients(url, sentences, answers)
            time.sleep(self.seconds / 10)
            early = memory_of_group(process.pid)
            for thread in threads:
                thread.join()
            memory = {"MiB after a tenth": round(early), "MiB at the end": round(memory_of_group(process.pid))}
        return {"model": model_uri, **_latencies(answers, self.seconds), **memory}

    def _clients(self, url: str, sentences: Sequence[str], answers: list[Answer]) -> list[threading.Thread]:
        """Start the clients, each with sentences of its own."""
        end = time.monotonic() + self.seconds
        threads = []
        for number in range(self.clients):
            arguments = (url, sentences[number :: self.clients], end, answers)
            threads.append(threading.Thread(target=_send_until, args=arguments))
            threads[-1].start()
        return threads


def _latencies(answers: Sequence[Answer], seconds: float) -> dict[str, Any]:
    milliseconds = [1000 * answer.seconds for answer in answers]
    p50, p99, slowest = np.percentile(milliseconds, [50, 99, 100]).round()
    errors = sum(answer.status != 200 for answer in answers)
    counts = {"requests": len(answers), "errors": errors, "per second": round(len(answers) / seconds, 1)}
    return {**counts, "p50 ms": p50, "p99 ms": p99, "slowest ms": slowest}


def _send_until(url: str, sentences: Sequence[str], end: float, answers: list[Answer]) -> None:
    place = 0
    while time.monotonic() < end:
        answers.append(send(url, sentences[place % len(sentences)]))
        place += 1


def send(url: str, sentence: str) -> Answer:
    """Send a sentence to a served model."""
    body = json.dumps({"dataframe_split": {"columns": ["text"], "data": [[sentence]]}}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - always http
    start = time.perf_counter()
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310
            status = answer.status if "predictions" in json.load(answer) else 0
    except urllib.error.HTTPError as error:
        status = error.code
    except (OSError, ValueError):
        status = 0
    return Answer(time.perf_counter() - start, status)


@contextlib.contextmanager
def serve(model_uri: str, workers: int = 1) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Serve a logged model on this machine for the time of the block.

    Gives:
        The address to send texts to, and the process, which leads a group of its own.

    Raises:
        ClaimkindError: the server does not start.
    """
    port = _free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", model_uri, "--env-manager", "local"]
    place = ["--host", _HOST, "--port", str(port), "--workers", str(workers)]
    # MLflow looks for uvicorn in the path, which is that of this Python only where its environment is activated.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: S603
            [*command, *place], stdout=log, stderr=log, env={**os.environ, "PATH": path}, start_new_session=True
        )
        try:
            if not _answers(f"http://{_HOST}:{port}/ping", process):
                log.seek(0)
                last = log.read().decode(errors="replace").strip().rpartition("\n")[2]
                raise ClaimkindError(f"mlflow models serve -m {model_uri} does not start ({last}): check the model")
            yield f"http://{_HOST}:{port}/invocations", process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((_HOST, 0))
        return int(free.getsockname()[1])


def _answers(url: str, process: "subprocess.Popen[bytes]") -> bool:
    """Wait until a server answers; False if it ended, or does not answer in time."""
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):  # noqa: S310
            return True
        time.sleep(0.2)
    return False


def memory_of_group(group: int) -> float:
    """Resident memory of all processes of a group in MiB; memory that several share counts for each."""
    listed = subprocess.run(["ps", "-A", "-o", "pgid=,rss="], capture_output=True, text=True, check=True).stdout  # noqa: S607
    rows = (line.split() for line in listed.splitlines())
    return sum(int(kibibytes) for found, kibibytes in rows if int(found) == group) / 1024
