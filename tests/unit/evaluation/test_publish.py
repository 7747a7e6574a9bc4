"""Publishing a model: what is written, which licences are refused, and what the hub is asked."""

import http.server
import json
import threading
from typing import ClassVar

import pandas as pd
import pytest
import yaml
from huggingface_hub import HfApi

import claimkind
from claimkind.config import PathsConfig, PublishConfig, TrainConfig
from claimkind.errors import ClaimkindError
from claimkind.evaluation import publish
from claimkind.evaluation.model_card import strictest
from claimkind.training import pipeline
from tests.conftest import dataset_config


@pytest.fixture(scope="module")
def model_uri(workspace, seeds):
    config = TrainConfig(
        dataset=dataset_config(seeds), model={"_target_": "claimkind.models.tfidf.TfidfClassifier", "min_df": 1},
        paths=PathsConfig(data_dir="data"), bootstrap_samples=20, run_name="published",
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workspace)
        return pipeline.run(config).model_uri


def test_the_folder_holds_the_model_and_a_card_with_results(model_uri, in_workspace, tmp_path):
    folder = tmp_path / "out"
    done = publish.run(PublishConfig("me/claims", model_uri, folder=str(folder)))
    assert done.text() == f"{folder} (licence cc0-1.0)"
    assert claimkind.load(folder).label(["The council of Arden may meet again."])["label"].notna().all()
    front = yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])
    (metric,) = front["model-index"][0]["results"][0]["metrics"]
    assert metric["type"] == "f1" and 0 <= metric["value"] <= 1
    assert "95% interval" in metric["name"] and "n " in metric["name"]
    assert 'snapshot_download("me/claims")' in (folder / "README.md").read_text()


def test_an_existing_folder_is_refused(model_uri, in_workspace, tmp_path):
    with pytest.raises(ClaimkindError, match="exists, expected a new one"):
        publish.run(PublishConfig("me/claims", model_uri, folder=str(tmp_path)))


@pytest.mark.parametrize("licence", ["cc-by-nc-4.0", "other"])
def test_a_licence_that_forbids_commercial_use_is_refused_unless_asked_for(
    licence, model_uri, in_workspace, tmp_path, monkeypatch
):
    card = publish._card(model_uri).replace("license: cc0-1.0", f"license: {licence}")
    monkeypatch.setattr(publish, "_card", lambda _: card)
    config = PublishConfig("me/claims", model_uri, folder=str(tmp_path / "out"))
    with pytest.raises(ClaimkindError, match=f"strictest licence is '{licence}'"):
        publish.run(config)
    config.non_commercial = True
    assert publish.run(config).licence == licence


def test_a_model_without_a_run_is_refused(tmp_path):
    with pytest.raises(ClaimkindError, match="names no model of a run"):
        publish.run(PublishConfig("me/claims", str(tmp_path)))


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        (["CC0-1.0"], "CC0-1.0"),
        (["MIT", "CC-BY-SA-4.0", "CC0-1.0"], "CC-BY-SA-4.0"),
        (["CC-BY-NC-4.0", "not stated"], "not stated"),
    ],
)
def test_the_strictest_licence_counts(licences, expected):
    assert strictest(pd.Series(licences)) == expected


class _Hub(http.server.BaseHTTPRequestHandler):
    """Answers in the form of the hub's API, for a repository with small files."""

    asked: ClassVar[list[tuple[str, str]]] = []
    uploaded: ClassVar[list[str]] = []

    def do_GET(self):
        self._answer({"type": "user", "name": "me", "id": "me/claims", "sha": "0" * 40, "siblings": []})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if "/preupload/" in self.path:
            files = [{"path": f["path"], "uploadMode": "regular"} for f in json.loads(body)["files"]]
            self._answer({"files": [{**f, "shouldIgnore": False, "oid": None} for f in files]})
        elif "/commit/" in self.path:
            lines = [json.loads(line) for line in body.splitlines()]
            self.uploaded.extend(line["value"]["path"] for line in lines if line["key"] == "file")
            self._answer({"commitUrl": f"{self.address()}/commit/{'0' * 40}", "commitOid": "0" * 40, "success": True})
        elif "/repos/create" in self.path:
            self._answer({"url": self.address(), "name": "me/claims"})
        else:
            self._answer({})

    def _answer(self, content):
        self.asked.append((self.command, self.path))
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def address(self):
        return f"http://127.0.0.1:{self.server.server_port}/me/claims"

    def log_message(self, *_):
        pass


def test_the_files_are_uploaded_in_one_commit(model_uri, in_workspace, monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(publish, "HfApi", lambda: HfApi(endpoint=endpoint, token="hf_test"))  # noqa: S106
    try:
        done = publish.run(PublishConfig("me/claims", model_uri))
    finally:
        server.shutdown()
    assert done.text() == f"{endpoint}/me/claims (licence cc0-1.0)"
    assert {"README.md", "manifest.json", "settings.json"} <= set(_Hub.uploaded)
    assert sum("/commit/" in path for _, path in _Hub.asked) == 1
