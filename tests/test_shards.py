"""Parts of a list of lines, written by processes that know nothing of each other."""

import fcntl
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr import shards
from asr.errors import AsrError
from asr.files import atomic_write, read_lines
from asr.parallel import cores
from asr.shards import Shard, this_shard, write_in_parts

ITEMS = [f"item {i}" for i in range(10)]


class Work:
    """Writes its share of ITEMS and merges all; counts how often it does either."""

    def __init__(self, target, merge=lambda: None):
        self.target = target
        self.before_merge = merge
        self.written, self.merges = [], 0

    def run(self, number, count, *sources):
        shard = Shard(number, count)

        def write(path):
            self.written.append(number)
            with atomic_write(path) as file:
                file.writelines(f"{item}\n" for item in shard.share(ITEMS))

        def merge(parts):
            self.merges += 1
            self.before_merge()
            lines = {}
            for i, part in enumerate(parts, start=1):
                lines.update(dict.fromkeys(read_lines(part), i))
            with atomic_write(self.target) as file:
                file.writelines(f"{item}\n" for item in sorted(lines))
        write_in_parts(self.target, shard, sources, write, merge)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "result"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@given(st.integers(0, 40), st.integers(1, 50))
def test_every_item_is_in_one_shard_and_all_have_as_many(size, count):
    shares = [Shard(i, count).share(range(size)) for i in range(1, count + 1)]
    assert sorted(item for share in shares for item in share) == list(range(size))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2), (2, 3, 1)])
def test_whoever_is_last_merges_and_clears_up(target, order, capsys):
    work = Work(target)
    for number in order[:-1]:
        work.run(number, 3)
        assert not target.exists()
    assert f"part {order[1]} of 3 is there; to be merged with {order[2]}" in capsys.readouterr().err
    work.run(order[-1], 3)
    assert read_lines(target) == ITEMS
    assert names(target.parent) == ["result"]
    assert work.merges == 1


def test_one_shard_leaves_no_trace_of_parts(target):
    work = Work(target)
    work.run(1, 1)
    assert read_lines(target) == ITEMS
    assert work.merges == 0


def test_a_part_that_is_there_is_not_made_again(target):
    work = Work(target)
    for number in (1, 2, 2, 1, 3):
        work.run(number, 3)
    assert work.written == [1, 2, 3]
    assert read_lines(target) == ITEMS


def test_parts_of_other_sources_or_another_number_are_left_alone(target, tmp_path):
    source = tmp_path / "source"
    source.write_text("one")
    work = Work(target)
    work.run(1, 2, "mels=40", source)
    work.run(2, 2, "mels=80", source)
    source.write_text("two")
    work.run(2, 2, "mels=40", source)
    work.run(2, 3, "mels=40", source)
    assert not target.exists()
    work.run(1, 2, "mels=40", source)
    assert read_lines(target) == ITEMS
    assert sum(".parts-2-" in name for name in names(tmp_path)) == 2
    assert sum(".parts-3-" in name for name in names(tmp_path)) == 1


def test_parts_of_another_version_are_not_merged(target, monkeypatch):
    work = Work(target)
    work.run(1, 2)
    monkeypatch.setattr(shards, "__version__", "0.0.1")
    work.run(2, 2)
    assert not target.exists()


def test_of_simultaneous_finishers_one_merges(target, monkeypatch):
    """All find every part there; the one that merges waits until the others are at its door."""
    lock, arrived, barrier = fcntl.flock, threading.Semaphore(0), threading.Barrier(4)

    def at_the_door(file, how):
        arrived.release()
        lock(file, how)

    def wait_for_the_others():
        for _ in range(4):
            assert arrived.acquire(timeout=10)
    work = Work(target, merge=wait_for_the_others)
    for number in (1, 2, 3):
        work.run(number, 4)
    part = next(target.parent.glob("result.parts-*")) / "4"
    part.write_text("".join(f"{item}\n" for item in Shard(4, 4).share(ITEMS)))
    monkeypatch.setattr("fcntl.flock", at_the_door)

    def finish(number):
        barrier.wait()
        work.run(number, 4)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(finish, (1, 2, 3, 4)))
    assert work.merges == 1
    assert read_lines(target) == ITEMS
    assert names(target.parent) == ["result"]


def test_a_killed_merge_is_done_by_whoever_comes_next(target):
    code = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        sys.path.insert(0, sys.argv[2])
        from test_shards import Work
        work = Work(Path(sys.argv[1]), merge=lambda: os.kill(os.getpid(), signal.SIGKILL))
        work.run(1, 2)
        work.run(2, 2)
    """)
    done = subprocess.run([sys.executable, "-c", code, target, Path(__file__).parent],
                          check=False, stderr=subprocess.DEVNULL)
    assert done.returncode == -signal.SIGKILL
    assert not target.exists()
    work = Work(target)
    work.run(2, 2)
    assert work.written == []
    assert read_lines(target) == ITEMS
    assert names(target.parent) == ["result"]


def test_a_merge_that_fails_keeps_the_parts(target):
    def fail():
        raise AsrError("no space")
    work = Work(target, merge=fail)
    work.run(1, 2)
    with pytest.raises(AsrError, match="no space"):
        work.run(2, 2)
    Work(target).run(1, 2)
    assert read_lines(target) == ITEMS


def test_a_file_system_without_locks_is_named(target, monkeypatch):
    def refuse(*_):
        raise OSError(37, "No locks available")
    monkeypatch.setattr("fcntl.flock", refuse)
    work = Work(target)
    work.run(1, 2)
    with pytest.raises(AsrError, match=r"cannot write .*result: No locks available"):
        work.run(2, 2)
    assert work.merges == 0


@pytest.mark.parametrize("text", ["", "3", "0/3", "4/3", "1/0", "-1/3", "1/3/3", "a/b", "1.0/2",
                                  "/", " 1/2"])
def test_what_is_no_shard(text):
    with pytest.raises(AsrError, match=r"--shard .*expected I/N"):
        this_shard(text)


def test_shards_and_torchruns_processes_multiply(monkeypatch):
    assert this_shard(None) == Shard(1, 1)
    assert this_shard("2/3") == Shard(2, 3)
    monkeypatch.setenv("WORLD_SIZE", "4")
    found = []
    for text, rank in ((text, rank) for text in ("1/2", "2/2") for rank in range(4)):
        monkeypatch.setenv("RANK", str(rank))
        found.append(this_shard(text))
    assert found == [Shard(i, 8) for i in range(1, 9)]


def test_torchruns_processes_share_the_cores(monkeypatch):
    whole = cores()
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert cores() == max(1, whole // 2)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(10 * whole))
    assert cores() == 1


def test_a_target_without_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AsrError, match="name a file or folder of its own"):
        Work(tmp_path.relative_to(tmp_path)).run(1, 2)
