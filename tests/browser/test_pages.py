"""Pages as a person sees them, in headless Chromium."""

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pandas as pd
import pytest

from claimkind.scoring.report import write_report
from tests.conftest import run_script

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]


def dump(url: str, profile: Path, wait_ms: int = 1000) -> str:
    """The page's document after its scripts ran."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += ["--disable-component-update", "--disable-sync", "--disable-quic", f"--user-data-dir={profile}"]
    flags += [f"--virtual-time-budget={wait_ms}", "--window-size=1600,1000", "--dump-dom", url]
    return subprocess.run([CHROMIUM, *flags], capture_output=True, text=True, timeout=120, check=True).stdout


def test_a_hostile_document_runs_nothing(tmp_path):
    hostile = "<script>document.body.innerHTML='owned'</script><img src=x onerror=\"document.body.innerHTML='owned'\">"
    scored = pd.DataFrame(
        {
            "document": [hostile], "paragraph": [0], "text": [hostile], "label": ["opinion"], "confidence": [0.9],
            "p_factual": [0.05], "p_speculative": [0.05], "p_opinion": [0.9],
        }
    )  # fmt: skip
    write_report(tmp_path / "report.html", scored, title=hostile)
    page = dump(f"file://{tmp_path}/report.html", tmp_path / "profile")
    assert "owned</body>" not in page
    assert "O90" in page


def test_mlflow_ui_opens_on_our_runs_without_a_flag(in_workspace, tmp_path):
    run_script("train", "model=tfidf", "dataset=tiny", "run_name=seen-in-the-ui", cwd=in_workspace, check=True)
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    server = subprocess.Popen(
        [str(Path(sys.executable).parent / "mlflow"), "ui", "--port", "5098", "--workers", "1"],
        cwd=in_workspace,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        wait_until_up("http://127.0.0.1:5098/health", server)
        page = dump("http://127.0.0.1:5098/#/experiments/1/runs", tmp_path / "profile", wait_ms=20_000)
    finally:
        server.terminate()
        server.wait(timeout=30)
    assert "seen-in-the-ui" in page


def wait_until_up(url, server):
    deadline = time.monotonic() + 90
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310
                return
        except OSError:
            assert time.monotonic() < deadline and server.poll() is None, server.stdout.read()
            time.sleep(0.5)
