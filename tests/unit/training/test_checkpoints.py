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


@pytest.mark.parametrize("names", [["run_id", "notes.txt"], ["checkpoint-10"], ["run_id", "checkpoint-10x"]])
def test_a_folder_with_files_of_others_is_not_deleted(names, in_workspace, tmp_path):
    folder = tmp_path / "key"
    folder.mkdir()
    for name in names:
        (folder / name).write_text("keep")
    with (
        pytest.raises(ClaimkindError, match=f"{folder} holds {names[-1]}, expected nothing but checkpoints"),
        checkpoint_folder(folder, resume=False),
    ):
        pass
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)


def test_a_file_that_appears_during_a_training_is_kept(tmp_path, caplog):
    folder = tmp_path / "key"
    with checkpoint_folder(folder, resume=False):
        write_run_id(folder, "abc")
        (folder / "notes.txt").write_text("keep")
    assert (folder / "notes.txt").read_text() == "keep"
    assert "notes.txt, which is of no training" in caplog.text


def test_checkpoints_of_an_unfinished_training_are_deleted(in_workspace, tmp_path):
    folder = tmp_path / "key"
    write_run_id(folder, "abc")
    (folder / "checkpoint-10").mkdir()
    (folder / "evidence" / "checkpoint-5").mkdir(parents=True)
    with checkpoint_folder(folder, resume=False):
        assert not folder.exists()
