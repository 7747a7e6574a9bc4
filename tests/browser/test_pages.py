"""Pages as a person sees them, in headless Chromium."""

import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from claimkind.scoring.report import write_report

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


def with_script(page: str, script: str) -> str:
    """A page on which a script of the test runs too, which its policy would not let run."""
    return re.sub(r"<meta http-equiv[^>]+>", "", page).replace("</body>", f"<script>{script}</script></body>")


@pytest.mark.parametrize(
    ("script", "shown"),
    [
        ("", ["The vote is on Tuesday.", "It could slip.", "A farce."]),
        ("set('search', 'Could ')", ["It could slip."]),
        ("set('from', '85')", ["The vote is on Tuesday.", "A farce."]),
        ("document.querySelector('[value=opinion]').click()", ["The vote is on Tuesday.", "It could slip."]),
        ("set('search', 'nowhere')", []),
    ],
)
def test_a_report_is_filtered_and_searched(script, shown, tmp_path):
    texts = {
        "The vote is on Tuesday.": ("factual", 0.9),
        "It could slip.": ("speculative", 0.8),
        "A farce.": ("opinion", 0.95),
    }
    rows = [
        {"document": "d", "paragraph": number, "text": text, "label": label, "confidence": confidence,
         "p_factual": 0.1, "p_speculative": 0.1, "p_opinion": 0.1}
        for number, (text, (label, confidence)) in enumerate(texts.items())
    ]  # fmt: skip
    write_report(tmp_path / "report.html", pd.DataFrame(rows), title="t")
    setter = """function set(id, value) {
        document.getElementById(id).value = value;
        document.getElementById(id).dispatchEvent(new Event("input", {bubbles: true}));
    }\n"""
    page = with_script((tmp_path / "report.html").read_text(), setter + script)
    (tmp_path / "driven.html").write_text(page)
    document = dump(f"file://{tmp_path}/driven.html", tmp_path / "profile")
    paragraphs = re.findall(
        r'<p( class="[^"]*")?>\s*<span class="s [^>]*>(?:<span class="tag">\w+</span>)?([^<]+)', document
    )
    assert [text for hidden, text in paragraphs if "none" not in hidden] == shown
    assert ('<section id="d1" class="none">' in document) is (not shown)


def test_a_report_is_readable_without_its_script(tmp_path):
    rows = {
        "text": ["A farce."],
        "label": ["opinion"],
        "confidence": [0.9],
        "p_factual": 0.1,
        "p_speculative": 0.1,
        "p_opinion": 0.8,
    }
    write_report(tmp_path / "report.html", pd.DataFrame(rows), title="t")
    page = re.sub(r"<script>.*</script>", "", (tmp_path / "report.html").read_text(), flags=re.DOTALL)
    assert 'id="filter" hidden' in page
    assert "A farce." in page
