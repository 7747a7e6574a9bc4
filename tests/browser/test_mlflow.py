"""The MLflow UI as a person walks through it, in headless Chromium, from the address that `scripts/ui.py` prints.

With `SCREENSHOTS=FOLDER` the tests use the store in the working folder, as `make demo` fills it, and write their
pictures to the folder: `make screenshots` makes those of README and docs.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest

from tests.conftest import ROOT, run_script

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PICTURES = os.environ.get("SCREENSHOTS")
SECONDS = 60_000
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]


@pytest.fixture(scope="module")
def project(workspace):
    """A folder with two trainings and their comparison, the better one registered."""
    if PICTURES:
        return Path.cwd()
    tiny = ["dataset=tiny", "bootstrap_samples=100"]
    run_script("train", "model=tfidf", *tiny, cwd=workspace, check=True)
    run_script("train", "model=tfidf", "model.C=0.01", "max_labels=12", *tiny, cwd=workspace, check=True)
    run_script("compare", *tiny, "promote=true", cwd=workspace, check=True)
    return workspace


@pytest.fixture(scope="module")
def leaderboard(project):
    """The address that the script prints, whose server runs while the tests do."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = [sys.executable, str(ROOT / "scripts" / "ui.py"), f"port={port}"]
    with subprocess.Popen(script, cwd=project, stderr=subprocess.PIPE, text=True) as server:
        lines = iter(server.stderr.readline, "")
        printed = next((line for line in lines if line.startswith("Leaderboard: ")), "nothing")
        yield printed.removeprefix("Leaderboard: ").strip()
        server.terminate()


@pytest.fixture(scope="module")
def page(leaderboard):
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(viewport={"width": 1500, "height": 800})
        # MLflow opens the panel of its assistant on the first visit.
        context.add_init_script("localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad', 'true')")
        opened = context.new_page()
        opened.set_default_timeout(SECONDS)
        yield opened
        browser.close()


def go(page, address, shown):
    """Open an address and wait for a text on the page."""
    page.goto("about:blank")  # only another fragment would not load the page again
    page.goto(address)
    close = page.get_by_role("button", name="Close")
    page.get_by_text(shown).first.wait_for()
    if page.get_by_text("MLflow Assistant").count() and close.count():
        close.first.click()


def picture(page, name):
    if PICTURES:
        page.wait_for_timeout(2000)
        page.screenshot(path=Path(PICTURES) / f"mlflow-{name}.png")


def best(project, kind):
    """The run of a kind with the highest macro F1 on validation; of comparisons, which have none, the newest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        mlflow.set_tracking_uri(f"sqlite:///{project}/mlflow.db")
        runs = mlflow.search_runs(
            experiment_names=["claimkind"],
            filter_string=f"tags.kind = '{kind}'",
            order_by=["metrics.`validation/macro_f1` DESC", "attributes.start_time DESC"],
            output_format="list",
        )
        mlflow.set_tracking_uri(None)
    return runs[0]


def address_of(leaderboard, run):
    server = leaderboard.partition("#")[0]
    return f"{server}#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"


def test_the_printed_address_opens_the_leaderboard_with_figures(page, leaderboard):
    go(page, leaderboard, "validation/macro_f1")
    page.get_by_text(re.compile(r"^0\.\d{3,4}$")).first.wait_for()
    picture(page, "leaderboard")
    page.set_viewport_size({"width": 2400, "height": 800})  # columns out of sight are not on the page
    page.get_by_text("test/f1_factual").first.wait_for()
    text = page.locator("body").inner_text()
    page.set_viewport_size({"width": 1500, "height": 800})
    assert "Leaderboard (v1)" in text
    for column in ("test/macro_f1_low", "test/f1_factual"):
        assert column in text
    assert re.search(r"tfidf · \w+ · ", text) and "compare: " not in text, "other runs than trainings"


def test_the_page_of_a_training_begins_with_its_result(page, leaderboard, project):
    run = best(project, "training")
    go(page, f"{address_of(leaderboard, run)}?workflowType=machine_learning", "Macro F1 ")
    text = page.locator("body").inner_text()
    assert run.info.run_name in text and "Weakest class" in text
    picture(page, "run")


def test_predictions_are_shown_as_a_table(page, leaderboard, project):
    run = best(project, "training")
    go(
        page,
        f"{address_of(leaderboard, run)}/artifacts/predictions/test.json?workflowType=machine_learning",
        "prediction",
    )
    page.get_by_text("confidence").first.wait_for()
    assert page.get_by_text(re.compile("^(factual|speculative|opinion)$")).count() > 5
    picture(page, "predictions")


def test_a_comparison_is_headed_by_its_verdict(page, leaderboard, project):
    run = best(project, "comparison")
    go(page, f"{address_of(leaderboard, run)}?workflowType=machine_learning", "comparison/difference_low")
    assert re.search("is better than|not separable", page.locator("body").inner_text())
    picture(page, "comparison")


def test_the_registered_model_has_its_alias_and_a_description(page, leaderboard):
    server = leaderboard.partition("#")[0]
    go(page, f"{server}#/models/claimkind?workflowType=machine_learning", "champion")
    text = page.locator("body").inner_text()
    assert "Labels each sentence of an English text" in text
    picture(page, "model")
    go(page, f"{server}#/models/claimkind/versions/1?workflowType=machine_learning", "Trained in")
    assert "has the best macro F1 on validation" in page.locator("body").inner_text()
