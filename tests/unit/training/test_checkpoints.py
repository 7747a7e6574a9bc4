import pytest

from claimkind.errors import ClaimkindError
from claimkind.training.checkpoints import checkpoint_folder, read_run_id, write_run_id


def test_a_folder_is_deleted_after_a_training_and_kept_after_a_failure(tmp_path):
    folder = tmp_path / "key"
    with pytest.raises(ZeroDivisionError), checkpoint_folder(folder, resume=False):
        write_run_id(folder, "abc")
        raise ZeroDivisionError
    assert read_run_id(folder) == "abc"
    with checkpoint_folder(folder, resume=True):
        assert read_run_id(folder) == "abc"
    assert not folder.exists()


def test_without_resume_an_unfinished_training_is_discarded(in_workspace, tmp_path):
    folder = tmp_path / "key"
    write_run_id(folder, "abc")
    with checkpoint_folder(folder, resume=False):
        assert read_run_id(folder) is None


def test_a_folder_that_another_process_holds_is_refused(tmp_path):
    with (
        checkpoint_folder(tmp_path / "key", resume=False),
        checkpoint_folder(tmp_path / "other", resume=False),
        pytest.raises(ClaimkindError, match="another process trains with these very settings"),
        checkpoint_folder(tmp_path / "key", resume=False),
    ):
        pass


def test_there_must_be_something_to_resume(tmp_path):
    with (
        pytest.raises(ClaimkindError, match="holds no unfinished training like this"),
        checkpoint_folder(tmp_path / "key", resume=True),
    ):
        pass
