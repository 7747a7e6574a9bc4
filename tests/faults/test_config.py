"""Whatever the command line, a configuration is valid or the error is one sentence."""

import os
import sys

import pytest
from hydra.core.global_hydra import GlobalHydra
from hypothesis import HealthCheck, example, given, seed, settings
from hypothesis import strategies as st

from claimkind import command
from claimkind.config import TrainConfig
from tests.conftest import ROOT

# How many command lines are tried; CONFIGS=20000 pytest -m slow tests/faults/test_config.py takes some minutes.
CONFIGS = int(os.environ.get("CONFIGS", "300"))
KEYS = [
    "model", "dataset", "experiment", "seed", "model.epochs", "model.encoder", "model._target_", "dataset.name",
    "dataset.sources", "dataset.sources.documents", "source@dataset.sources.mine", "train_sources", "source_weights",
    "evidence_sources.babe", "paths.data_dir", "hydra.mode", "hydra.run.dir", "hydra/launcher", "runtime", "run_name",
    "max_labels", "target_precision", "resume", "no_such_key", "distil_texts", "bootstrap_samples",
]  # fmt: skip
PIECES = [
    "=",
    ",",
    "'",
    '"',
    "{",
    "}",
    "[",
    "]",
    "${",
    "$",
    "\\",
    " ",
    "null",
    "???",
    "-1",
    "1e999",
    "nan",
    "é",
    "\x00",
]
VALUES = [
    "tfidf",
    "minilm",
    "bundled",
    "1",
    "0.5",
    "true",
    "null",
    "[a,b]",
    "{a: 1}",
    "",
    "a/b",
    "${seed}",
    "${oc.env:X}",
]

values = st.one_of(
    st.sampled_from(VALUES),
    st.lists(st.one_of(st.sampled_from(PIECES), st.sampled_from(VALUES)), max_size=5).map("".join),
    st.text(max_size=8),
    st.integers().map(str),
    st.floats().map(str),
)
overrides = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "", "", "+", "++", "~"]),
    st.one_of(st.sampled_from(KEYS), st.text(max_size=6)),
    st.sampled_from(["=", "=", "=", "", ":", "=="]),
    values,
)


def received(config: TrainConfig) -> None:
    """Takes the place of the training."""
    assert isinstance(config, TrainConfig)


def run_with(arguments: list[str]) -> int:
    """Exit code of `train.py` with these arguments."""
    before = sys.argv
    sys.argv = ["train.py", *arguments]
    try:
        command.command("train", ROOT / "configs")()
    except SystemExit as error:
        return int(error.code or 0)
    finally:
        sys.argv = before
        GlobalHydra.instance().clear()
    return 0


@pytest.mark.slow
@seed(0)
@settings(
    max_examples=CONFIGS, deadline=None, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(arguments=st.lists(overrides, min_size=1, max_size=3))
@example(arguments=["model=tfidf"])
def test_a_command_line_is_taken_or_refused_in_one_sentence(arguments, capsys, monkeypatch, tmp_path):
    arguments = [argument for argument in arguments if not argument.startswith("-") and "\x00" not in argument]
    monkeypatch.setitem(command.COMMANDS, "train", f"{__name__}:received")
    monkeypatch.chdir(tmp_path)
    code = run_with(arguments)
    errors = capsys.readouterr().err
    assert code in (0, 2), (arguments, errors)
    if code:
        assert errors.startswith("error"), (arguments, errors)
        assert len(errors.splitlines()) == 1, (arguments, errors)
    assert sorted(path.name for path in tmp_path.iterdir()) == []
