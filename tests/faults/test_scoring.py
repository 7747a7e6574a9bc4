"""A run that is cut off keeps its finished parts, and gives the same output when it is started again."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from claimkind import models
from claimkind.config import ScoreConfig
from claimkind.errors import ClaimkindError, TooManyRejectedError
from claimkind.labels import one_hot
from claimkind.models.tfidf import TfidfClassifier, TfidfSettings
from claimkind.scoring import engine, journal, report, workers
from tests.conftest import PLACES, ROOT, TEMPLATES, run_script

SENTENCES = [(template.format(place), kind) for place in PLACES for kind in TEMPLATES for template in TEMPLATES[kind]]
# How often scoring is killed; KILLS=50 pytest -m slow -k killed_at_random takes some minutes.
KILLS = int(os.environ.get("KILLS", "10"))
SCRIPT = str(ROOT / "scripts" / "score.py")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scoring") / "model"
    texts, kinds = zip(*SENTENCES, strict=True)
    models.save(TfidfClassifier(TfidfSettings(min_df=1, cues=0)).fit(texts, one_hot(kinds)), folder)
    return folder


def write_input(path, rows):
    lines = [json.dumps({"text": f"{SENTENCES[n % len(SENTENCES)][0]} {n}", "n": n}) for n in range(rows)]
    lines[7] = "no json"
    path.write_text("\n".join(lines) + "\n")
    return path


def score(model, source, output, **changes):
    settings = {"model_uri": str(model), "input": str(source), "output": str(output), "chunk_size": 50, **changes}
    return engine.run(ScoreConfig(**settings))


def stop_after(monkeypatch, parts):
    """Raise KeyboardInterrupt once that number of parts is written."""
    write = engine.Journal.write

    def limited(self, number, rows, rejected):
        if number == parts:
            raise KeyboardInterrupt
        write(self, number, rows, rejected)

    monkeypatch.setattr(engine.Journal, "write", limited)


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_a_run_that_was_cut_off_goes_on_to_the_same_bytes(ending, model, tmp_path, monkeypatch):
    source = write_input(tmp_path / "in.jsonl", 300)
    whole, cut = tmp_path / f"whole.{ending}", tmp_path / f"cut.{ending}"
    score(model, source, whole)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, parts=3)
        score(model, source, cut)
    assert not cut.exists()
    assert len(list((tmp_path / f"cut.{ending}.parts").glob(f"part-*.{ending}"))) == 3
    summary = score(model, source, cut)
    assert cut.read_bytes() == whole.read_bytes()
    assert (summary.rows, summary.rejected) == (299, 1)
    rejected = tmp_path / f"cut.{ending}.rejected.jsonl"
    assert json.loads(rejected.read_text()) == {"file": "in.jsonl", "row": 7, "reason": "no JSON"}
    assert not list(tmp_path.glob("*.parts"))
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("changed", ["input", "model", "chunk_size"])
def test_parts_of_something_else_are_not_mixed_in(changed, model, tmp_path, monkeypatch):
    source, output = write_input(tmp_path / "in.jsonl", 200), tmp_path / "out.csv"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, parts=1)
        score(model, source, output)
    settings = {"model": model, "chunk_size": 50}
    if changed == "input":
        write_input(source, 201)
    elif changed == "model":
        texts, kinds = zip(*SENTENCES, strict=True)
        models.save(
            TfidfClassifier(TfidfSettings(min_df=1, cues=0, C=1)).fit(texts, one_hot(kinds)), tmp_path / "other"
        )
        settings["model"] = tmp_path / "other"
    else:
        settings["chunk_size"] = 60
    with pytest.raises(ClaimkindError, match=rf"holds parts made with another {changed} .*delete the folder to start"):
        score(settings["model"], source, output, chunk_size=settings["chunk_size"])


def test_a_run_that_wrote_no_part_can_be_started_with_other_options(model, tmp_path):
    (tmp_path / "in.csv").write_text("body\nSun.\n")
    with pytest.raises(ClaimkindError, match="has no column 'text'"):
        score(model, tmp_path / "in.csv", tmp_path / "out.csv")
    assert score(model, tmp_path / "in.csv", tmp_path / "out.csv", text_column="body").rows == 1


def test_a_damaged_journal_is_one_sentence(model, tmp_path, monkeypatch):
    source, output = write_input(tmp_path / "in.jsonl", 200), tmp_path / "out.csv"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, parts=1)
        score(model, source, output)
    (tmp_path / "out.csv.parts" / "journal.json").write_text("")
    with pytest.raises(ClaimkindError, match=r"journal\.json is missing or damaged.*delete the folder to start over"):
        score(model, source, output)


def test_formulas_are_escaped_in_csv_and_in_the_report_they_are_as_they_were(model, tmp_path, monkeypatch):
    texts = ["=HYPERLINK(A1)", "-5", "'=1", "Rain fell."]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": text, "=n": "@a"}) + "\n" for text in texts))
    settings = {"chunk_size": 2, "report": str(tmp_path / "r.html")}
    score(model, tmp_path / "in.jsonl", tmp_path / "whole.csv", **settings)
    whole = (tmp_path / "r.html").read_bytes()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, parts=1)
        score(model, tmp_path / "in.jsonl", tmp_path / "out.csv", **settings)
    with pytest.raises(ClaimkindError, match="holds parts made with another escape_formulas"):
        score(model, tmp_path / "in.jsonl", tmp_path / "out.csv", escape_formulas=False, **settings)
    score(model, tmp_path / "in.jsonl", tmp_path / "out.csv", **settings)
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert (tmp_path / "r.html").read_bytes() == whole
    written = pd.read_csv(tmp_path / "out.csv", dtype=str)
    assert written["text"].tolist() == ["'=HYPERLINK(A1)", "-5", "''=1", "Rain fell."]
    assert set(written["'=n"]) == {"'@a"}
    score(model, tmp_path / "in.jsonl", tmp_path / "plain.csv", escape_formulas=False)
    assert pd.read_csv(tmp_path / "plain.csv", dtype=str)["text"].tolist() == texts


def flip(content):
    return content[:40] + bytes([content[40] ^ 1]) + content[41:]


DAMAGES = {
    "empty": lambda content: b"",
    "cut off": lambda content: content[: len(content) // 2],
    "without its last line": lambda content: content[: content.rfind(b"\n", 0, -1) + 1],
    "another byte": flip,
    "zeros": lambda content: bytes(len(content)),
    "gone": None,
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", ["part-000002", "rejected-000000", "parts"])
@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_a_damaged_part_is_scored_again(ending, file, damage, model, tmp_path, monkeypatch):
    # What a power failure leaves of files that were not on the disk yet.
    source, output = write_input(tmp_path / "in.jsonl", 200), tmp_path / f"out.{ending}"
    score(model, source, tmp_path / f"whole.{ending}")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, parts=3)
        score(model, source, output)
    (path,) = (tmp_path / f"out.{ending}.parts").glob(f"{file}.*")
    if DAMAGES[damage] is None:
        path.unlink()
    else:
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
    summary = score(model, source, output)
    assert output.read_bytes() == (tmp_path / f"whole.{ending}").read_bytes()
    assert (summary.rows, summary.rejected) == (199, 1)
    rejected = [tmp_path / f"{name}.{ending}.rejected.jsonl" for name in ("out", "whole")]
    assert rejected[0].read_bytes() == rejected[1].read_bytes()


def test_parts_made_by_other_code_are_refused(model, tmp_path, monkeypatch):
    source, output = write_input(tmp_path / "in.jsonl", 200), tmp_path / "out.csv"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, parts=1)
        patch.setattr(engine, "code_digest", lambda: "0" * 16)
        score(model, source, output)
    with pytest.raises(
        ClaimkindError, match=r"holds parts made with another code \(0000000000000000, now [0-9a-f]{16}\)"
    ):
        score(model, source, output)


def test_the_digest_of_the_code_covers_what_predicts_and_what_reads():
    files = {path.relative_to(journal.PACKAGE).as_posix() for path in journal.code_files()}
    assert {
        "labels.py",
        "io/csv.py",
        "models/tfidf.py",
        "models/transformer/inference.py",
        "scoring/engine.py",
    } <= files
    assert len(files) > 50


def test_the_output_is_on_the_disk_before_its_parts_are_deleted(model, tmp_path, monkeypatch):
    source, output = write_input(tmp_path / "in.jsonl", 200), tmp_path / "out.csv"
    synced, sync, delete = [], os.fsync, journal._delete

    def note(descriptor):
        synced.append(os.fstat(descriptor).st_ino)
        sync(descriptor)

    def check(folder):
        if folder.exists():
            file, place = output.stat().st_ino, tmp_path.stat().st_ino
            assert place in synced[synced.index(file) :]
        delete(folder)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(journal, "_delete", check)
    score(model, source, output)
    assert not list(tmp_path.glob("*.parts"))


def test_an_output_in_the_folder_of_its_input_goes_on_too(model, tmp_path, monkeypatch):
    source, output = write_input(tmp_path / "in.jsonl", 200), tmp_path / "out.jsonl"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, parts=2)
        score(model, tmp_path, output)
    assert score(model, tmp_path, output).rows == 199
    assert source.exists()


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_text_that_looks_like_a_number_stays_text_after_a_cut(ending, model, tmp_path, monkeypatch):
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": "2024", "much": 2**70}) + "\n" for _ in range(100)))
    settings = {"report": str(tmp_path / "r.html"), "explain": True}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, parts=1)
        score(model, tmp_path / "in.jsonl", tmp_path / f"out.{ending}", **settings)
    monkeypatch.setattr(engine, "ReportRows", lambda split: report.ReportRows(3, split=split))
    summary = score(model, tmp_path / "in.jsonl", tmp_path / f"out.{ending}", **settings)
    assert (summary.rows, summary.resumed) == (100, 50)
    assert "50 of them were labelled by an earlier run" in summary.text()


@pytest.fixture
def with_workers(model, tmp_path):
    """A scoring with worker processes, begun in a session of its own, which has written some parts; and its workers."""
    source = write_input(tmp_path / "in.jsonl", 40_000)
    arguments = [f"model_uri={model}", f"input={source}", f"output={tmp_path / 'out.csv'}", "chunk_size=50"]
    process = subprocess.Popen(
        [sys.executable, SCRIPT, *arguments, "processes=2"], cwd=tmp_path, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    wait_for_parts(tmp_path / "out.csv", 5, process)
    yield process, children_of(process.pid)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def children_of(pid):
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text()]


def is_alive(pid):
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def have_ended(pids):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not any(map(is_alive, pids)):
            return True
        time.sleep(0.05)
    return False


linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.mark.slow
@linux
def test_ctrl_c_ends_a_run_with_workers(with_workers):
    process, workers = with_workers
    assert len(workers) == 2
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to all of them
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in errors, errors
    assert have_ended(workers)


@pytest.mark.slow
@linux
def test_workers_end_with_a_parent_that_is_killed(with_workers):
    process, workers = with_workers
    process.kill()
    assert have_ended(workers), "workers go on without anyone who waits for them"


@pytest.mark.slow
@linux
def test_a_worker_that_is_killed_is_one_sentence(with_workers):
    process, workers = with_workers
    os.kill(workers[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "error: a worker process was killed, for lack of memory perhaps; what is done is kept" in errors
    assert "Traceback" not in errors, errors


def test_a_second_process_on_the_same_output_is_refused(model, tmp_path):
    source, output = write_input(tmp_path / "in.jsonl", 100), tmp_path / "out.csv"
    with (
        engine.Journal(output).opened({}),
        pytest.raises(ClaimkindError, match=r"another process is writing .*out\.csv, expected none"),
    ):
        score(model, source, output)


def test_too_many_bad_rows_stop_the_run_with_code_1(model, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "Sun."}\nbad\nbad\n')
    with pytest.raises(TooManyRejectedError, match="2 rows cannot be scored, max_rejected=1 allows fewer"):
        score(model, tmp_path / "in.jsonl", tmp_path / "out.csv", max_rejected=1)
    arguments = [f"model_uri={model}", f"input={tmp_path / 'in.jsonl'}", f"output={tmp_path / 'o.csv'}"]
    done = run_script("score", *arguments, "max_rejected=1", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip().endswith("correct the input, or raise max_rejected")


def test_a_full_disk_keeps_the_finished_parts(model, tmp_path, monkeypatch):
    source, output = write_input(tmp_path / "in.jsonl", 200), tmp_path / "out.csv"
    write = engine.Journal.write

    def full(self, number, rows, rejected):
        if number == 2:
            raise OSError(28, "No space left on device")
        write(self, number, rows, rejected)

    with (
        monkeypatch.context() as patch,
        pytest.raises(ClaimkindError, match=r"the disk is full; 2 parts of .* are kept"),
    ):
        patch.setattr(engine.Journal, "write", full)
        score(model, source, output)
    score(model, source, output)
    assert len(pd.read_csv(output)) == 199


def test_an_output_that_exists_stays_whole_until_the_new_one_is(model, tmp_path, monkeypatch):
    source, output = write_input(tmp_path / "in.jsonl", 200), tmp_path / "out.csv"
    output.write_text("old")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, parts=1)
        score(model, source, output)
    assert output.read_text() == "old"


@pytest.mark.slow
def test_any_number_of_processes_gives_the_same_output(model, tmp_path, monkeypatch):
    source = write_input(tmp_path / "in.jsonl", 200)
    started, pool = [], workers.ProcessPoolExecutor
    monkeypatch.setattr(
        workers, "ProcessPoolExecutor", lambda count, *rest, **more: started.append(count) or pool(count, *rest, **more)
    )
    score(model, source, tmp_path / "little.csv")
    assert started == [], "processes were started for 200 rows"
    monkeypatch.setattr(workers, "_POOL_PAYS_FROM", 0)
    monkeypatch.setattr(workers, "_cores", lambda: 2)
    score(model, source, tmp_path / "much.csv")
    score(model, source, tmp_path / "one.csv", processes=1)
    score(model, source, tmp_path / "three.csv", processes=3)
    assert started == [2, 3]
    written = {(tmp_path / f"{name}.csv").read_bytes() for name in ("little", "much", "one", "three")}
    assert len(written) == 1
    with pytest.raises(ClaimkindError, match="processes=0, expected 1 or more"):
        score(model, source, tmp_path / "none.csv", processes=0)


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_bytes(model, tmp_path):
    """The seed decides when. A run that ends before it is killed is followed by a run with a new output."""
    chance = random.Random(0)  # noqa: S311 - when to kill is no secret
    source = write_input(tmp_path / "in.jsonl", 4000)
    arguments = [f"model_uri={model}", f"input={source}", "chunk_size=50"]
    run_script("score", *arguments, f"output={tmp_path / 'whole.parquet'}", cwd=tmp_path, check=True)
    whole = (tmp_path / "whole.parquet").read_bytes()
    kills, ends = 0, 0
    while kills < KILLS:
        output = tmp_path / f"cut-{ends}.parquet"
        process = subprocess.Popen(
            [sys.executable, SCRIPT, *arguments, f"output={output}"], cwd=tmp_path, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        wait_for_parts(output, chance.randint(1, 12), process)
        time.sleep(chance.random() * 0.1)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
            process.wait()
        if output.exists() and not Path(f"{output}.parts").exists():
            assert output.read_bytes() == whole
            ends += 1
    run_script("score", *arguments, f"output={output}", cwd=tmp_path, check=True)
    assert output.read_bytes() == whole
    rejected = tmp_path / f"{output.name}.rejected.jsonl"
    assert rejected.read_text() == (tmp_path / "whole.parquet.rejected.jsonl").read_text()


def wait_for_parts(output, more, process):
    """Wait until `more` further parts are there, or the process has ended."""
    folder = Path(f"{output}.parts")
    before = len(list(folder.glob("part-*")))
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if len(list(folder.glob("part-*"))) >= before + more:
            return
        time.sleep(0.002)
