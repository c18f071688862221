import pytest

from asr.locks import lock


def test_one_at_a_time(tmp_path):
    with lock(tmp_path / "file"), pytest.raises(BlockingIOError):
        lock(tmp_path / "file", wait=False)
    lock(tmp_path / "file", wait=False).close()


def test_a_lock_leaves_what_is_in_the_file(tmp_path):
    (tmp_path / "file").write_text("kept")
    lock(tmp_path / "file").close()
    assert (tmp_path / "file").read_text() == "kept"


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        lock(tmp_path / "no" / "file")
