"""What the MLflow UI shows: names of runs, descriptions, and the addresses of pages."""

import mlflow

SEPARATOR = " · "
"""Between the parts of the name of a run."""
DESCRIPTION_TAG = "mlflow.note.content"
"""Tag with the description of an experiment, a run or a model, in Markdown."""
PORT = 5000
"""Of the server that `make ui` starts, MLflow's own default."""
_MODE = "?workflowType=machine_learning"
"""Without it, the UI shows the pages for language model applications."""


def experiment_page(experiment_id: str) -> str:
    """The address of an experiment within the UI."""
    return f"#/experiments/{experiment_id}"


def run_page(experiment_id: str, run_id: str) -> str:
    """The address of a run within the UI."""
    return f"{experiment_page(experiment_id)}/runs/{run_id}{_MODE}"


def model_page(experiment_id: str, model_id: str) -> str:
    """The address of a logged model within the UI."""
    return f"{experiment_page(experiment_id)}/models/{model_id}{_MODE}"


def address(page: str, port: int = PORT) -> str:
    """The whole address of a page: on the tracking server, or for a local store on the server of `make ui`."""
    store = mlflow.get_tracking_uri()
    server = store.rstrip("/") if store.startswith("http") else f"http://127.0.0.1:{port}"
    return f"{server}/{page}"


def hint(page: str) -> str:
    """The address of a page as scripts print it, with how to start the server for a local store."""
    start = "" if mlflow.get_tracking_uri().startswith("http") else "  (start the server with: make ui)"
    return f"{address(page)}{start}"
