import os
import subprocess
import sys
from pathlib import Path

import pytest

from claimkind import tracking
from claimkind.labels import one_hot
from claimkind.models.hashing import HashingClassifier, HashingSettings


@pytest.mark.slow
def test_copies_of_models_that_are_elsewhere_are_deleted(in_workspace, tmp_path):
    fitted = HashingClassifier(HashingSettings(bits=8)).fit(["Rain.", "Sun."], one_hot(["factual", "opinion"]))
    with tracking.start_run("artifacts", "model", {}) as run:
        uri = run.log_model(fitted)
    code = f"""
import os, tempfile
from claimkind import tracking
from claimkind.tracking import artifacts
artifacts._local = lambda uri: None  # as if the store were on another machine
folder = tracking.fetch_folder({uri!r})
tracking.fetch_model({uri!r}), tracking.origin_of({uri!r}), tracking.fetch_reference({uri!r})
print(folder)
print(sum(entry.is_dir() for entry in os.scandir(tempfile.gettempdir())))
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, cwd=in_workspace
    )
    folder, folders = done.stdout.splitlines()[-2:]
    assert Path(folder).is_relative_to(tmp_path)
    assert int(folders) == 1, "a model was copied twice"
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
