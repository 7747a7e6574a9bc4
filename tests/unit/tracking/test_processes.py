"""Runs whose process has ended."""

import mlflow

from claimkind import tracking
from claimkind.tracking import processes


def test_a_run_that_ends_by_itself_while_it_is_looked_at_is_not_killed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    with tracking.start_run("mine", "short", {}) as tracked:
        pass
    client = mlflow.MlflowClient()
    client.update_run(tracked.run_id, status="RUNNING")

    def ends(_):
        client.set_terminated(tracked.run_id, "FINISHED")
        return False

    monkeypatch.setattr(processes, "_is_alive", ends)
    processes.end_runs_of_killed_processes()
    assert client.get_run(tracked.run_id).info.status == "FINISHED"
