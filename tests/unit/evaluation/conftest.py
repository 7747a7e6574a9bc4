import pytest


@pytest.fixture(scope="module")
def new_store(tmp_path_factory):
    """An MLflow store without runs in a folder of its own, which is the current folder."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        yield folder
