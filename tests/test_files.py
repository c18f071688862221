"""asr.files: all of a file appears, or none of it."""

import errno
import gzip
import io
import lzma
import os
import signal
import stat
import subprocess
import sys
import tarfile
import textwrap
import threading
from pathlib import Path

import pytest

from asr import files
from asr.errors import AsrError
from asr.files import (
    atomic_folder,
    atomic_write,
    atomic_write_packed,
    extract_tar,
    open_packed,
    read_lines,
    read_text,
    sha256,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_comes_through_a_pipe_is_read(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for content in (b"words\n", gzip.compress(b"words\n")):
        writer = threading.Thread(target=pipe.write_bytes, args=(content,))
        writer.start()
        with open_packed(pipe) as file:
            assert file.read() == b"words\n"
        writer.join()


def test_write_creates_parents_and_replaces(tmp_path):
    path = tmp_path / "a" / "b.txt"
    for text in ("first é\n", "second\n"):
        with atomic_write(path) as file:
            file.write(text)
        assert path.read_text(encoding="utf-8") == text
    with atomic_write(path, binary=True) as file:
        file.write(b"\xff")
    assert path.read_bytes() == b"\xff"
    assert names(path.parent) == ["b.txt"]


def test_write_that_fails_keeps_the_old_file(tmp_path):
    path = tmp_path / "x"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as file:
        file.write("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert names(tmp_path) == ["x"]


def test_full_disk_is_one_clear_line(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AsrError, match=r"cannot write .*x: No space left on device") as caught, \
            atomic_write(tmp_path / "x") as file:
        file.write("text")
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_full_device(tmp_path):
    """A real ENOSPC, raised when the buffer is flushed into the full device."""
    files._beside(tmp_path / "x", "partial").symlink_to("/dev/full")
    with pytest.raises(AsrError, match="No space left"), atomic_write(tmp_path / "x") as file:
        file.write("text")
    assert names(tmp_path) == []


def left_by(process, path, ending):
    return path.with_name(f".{path.name}.{files._HOST}.{process}.{ending}")


@pytest.fixture
def dead():
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_a_killed_process_left_is_removed(tmp_path, dead):
    left_by(dead, tmp_path / "a", "partial").write_text("half")
    for ending in ("partial", "old"):
        folder = left_by(dead, tmp_path / "store", ending)
        folder.mkdir()
        (folder / "frames").write_text("half")
    kept = [left_by(os.getppid(), tmp_path / "a", "partial"), tmp_path / f".a.else.{dead}.partial",
            tmp_path / ".b.partial", tmp_path / "store"]
    for path in kept:
        path.touch()
    with atomic_write(tmp_path / "x") as file:
        file.write("text")
    assert names(tmp_path) == sorted([*(path.name for path in kept), "x"])


def test_a_folder_whose_process_died_while_it_was_replaced_is_back(tmp_path, dead):
    old = left_by(dead, tmp_path / "store", "old")
    old.mkdir()
    (old / "frames").write_text("whole")
    with atomic_write(tmp_path / "x") as file:
        file.write("text")
    assert (tmp_path / "store" / "frames").read_text() == "whole"
    assert names(tmp_path) == ["store", "x"]


def test_folder_on_a_full_disk_leaves_the_old_one(tmp_path):
    path = tmp_path / "store"
    path.mkdir()
    (path / "old").touch()
    with pytest.raises(AsrError, match="No space left"), atomic_folder(path, ["old"]) as folder:
        (folder / "new").touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert names(tmp_path) == ["store"]
    assert names(path) == ["old"]


def test_a_pipe_is_written_to_and_stays(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text("utf-8")), daemon=True)
    reader.start()
    with atomic_write(pipe) as file:
        file.write("é\n")
    reader.join(10)
    assert read == ["é\n"]
    assert pipe.is_fifo()
    assert names(tmp_path) == ["pipe"]


def test_a_pipe_whose_reader_has_left(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = threading.Thread(target=lambda: (tmp_path / "pipe").open().close(), daemon=True)
    reader.start()
    with pytest.raises(BrokenPipeError), atomic_write(tmp_path / "pipe", binary=True) as file:
        reader.join(10)
        file.write(bytes(1 << 20))


def test_a_device_is_written_to_and_stays(tmp_path):
    null = tmp_path / "null"
    try:
        os.mknod(null, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        null.write_text("text")
    except PermissionError:
        pytest.skip("only root makes devices")
    with atomic_write_packed(null) as file:
        file.write(b"text")
    assert null.is_char_device()
    assert names(tmp_path) == ["null"]


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(AsrError, match="Permission denied"), atomic_write(tmp_path / "x") as file:
        file.write("text")
    with pytest.raises(AsrError, match="Permission denied"), atomic_folder(tmp_path / "y", ()):
        pass


def open_folder(path):
    return atomic_folder(path, ())


@pytest.mark.parametrize("opener", [atomic_write, open_folder])
def test_read_only_folder_by_its_error(tmp_path, monkeypatch, opener):
    def refuse(self, *arguments, **options):
        raise PermissionError(errno.EROFS, os.strerror(errno.EROFS))
    monkeypatch.setattr(Path, "open" if opener is atomic_write else "mkdir", refuse)
    with pytest.raises(AsrError, match=r"cannot write .*out: Read-only file system"), \
            opener(tmp_path / "out"):
        pass
    assert names(tmp_path) == []


def test_a_file_in_the_way_of_a_folder(tmp_path):
    (tmp_path / "x").write_text("kept")
    with pytest.raises(AsrError, match="cannot write"), atomic_write(tmp_path / "x" / "y"):
        pass
    with pytest.raises(AsrError, match="a file is where the folder should go"), \
            atomic_folder(tmp_path / "x", ()):
        pass
    with pytest.raises(AsrError, match="Is a directory"), atomic_write(tmp_path):
        pass
    assert (tmp_path / "x").read_text() == "kept"
    assert names(tmp_path) == ["x"]


@pytest.mark.parametrize("opener", [atomic_write, open_folder])
@pytest.mark.parametrize("path", [".", "/"])
def test_no_name_to_write_to(tmp_path, monkeypatch, opener, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AsrError, match="name a file or folder of its own"), opener(Path(path)):
        pass


def test_folder_is_replaced_as_a_whole(tmp_path):
    for name in ("first", "second"):
        with atomic_folder(tmp_path / "store", ["first"]) as folder:
            (folder / name).touch()
    assert names(tmp_path / "store") == ["second"]
    assert names(tmp_path) == ["store"]


@pytest.mark.parametrize("there", [False, True])
def test_a_link_stays_and_what_it_stands_for_is_replaced(tmp_path, there):
    """A store and a checkpoint on another disk, from which the first ones may have been cleared."""
    home, disk = tmp_path / "home", tmp_path / "disk"
    home.mkdir()
    disk.mkdir()
    for name in ("store", "checkpoint"):
        (home / name).symlink_to(f"../disk/{name}")
    if there:
        (disk / "store").mkdir()
        (disk / "store" / "old").touch()
        (disk / "checkpoint").write_text("old")
    with atomic_folder(home / "store", ["old"]) as folder:
        (folder / "new").touch()
    with atomic_write(home / "checkpoint") as file:
        file.write("new")
    assert (home / "store").is_symlink() and (home / "checkpoint").is_symlink()
    assert names(disk / "store") == ["new"]
    assert (disk / "checkpoint").read_text() == "new"
    assert names(home) == names(disk) == ["checkpoint", "store"]


def test_a_link_to_itself(tmp_path):
    (tmp_path / "x").symlink_to("x")
    with atomic_folder(tmp_path / "y", ()), \
            pytest.raises(AsrError, match="cannot write"), atomic_folder(tmp_path / "x", ()):
        pass


def test_somebodys_own_folder_is_left_alone(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "frames.f16").touch()
    (tmp_path / "home" / "thesis.tex").touch()
    with pytest.raises(AsrError, match=r"holds other files \(thesis.tex\)"), \
            atomic_folder(tmp_path / "home", ["*.f16"]):
        pass
    assert names(tmp_path / "home") == ["frames.f16", "thesis.tex"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_writer_leaves_no_final_file(tmp_path, how):
    code = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        from asr.files import atomic_folder, atomic_write
        # A job in the background of a script starts with Ctrl-C ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with atomic_write(Path("x")) as file, atomic_folder(Path("y"), ()) as folder:
            file.write("half"); file.flush(); (folder / "half").touch()
            os.kill(os.getpid(), int(sys.argv[1]))
    """)
    done = subprocess.run([sys.executable, "-c", code, str(int(how))], cwd=tmp_path, check=False,
                          stderr=subprocess.DEVNULL)
    assert done.returncode != 0
    assert not (tmp_path / "x").exists()
    assert not (tmp_path / "y").exists()
    if how is signal.SIGINT:
        assert names(tmp_path) == []


@pytest.mark.parametrize(("ending", "unpack"), [
    (".gz", gzip.decompress), (".xz", lzma.decompress), (".txt", bytes)])
def test_packed_file_is_a_function_of_its_content(tmp_path, monkeypatch, ending, unpack):
    for name, now in (("a", 1e9), ("other", 1.5e9)):
        monkeypatch.setattr("time.time", lambda now=now: now)
        with atomic_write_packed(tmp_path / f"{name}{ending}") as file:
            file.write(b"a line\n" * 100)
    packed = (tmp_path / f"a{ending}").read_bytes()
    assert unpack(packed) == b"a line\n" * 100
    assert packed == (tmp_path / f"other{ending}").read_bytes()
    assert names(tmp_path) == [f"a{ending}", f"other{ending}"]


def test_read_text_faults(tmp_path):
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    (tmp_path / "bom").write_bytes("\ufeffcafé".encode())
    with pytest.raises(AsrError, match="no such file"):
        read_text(tmp_path / "none")
    with pytest.raises(AsrError, match="directory"):
        read_text(tmp_path)
    with pytest.raises(AsrError, match=r"not UTF-8 text \(byte 3\)"):
        read_text(tmp_path / "latin")
    assert read_text(tmp_path / "bom") == "café"


def test_only_line_feeds_end_lines(tmp_path):
    path = tmp_path / "x"
    path.write_bytes("a\u2028b\x85\r\n\n c".encode())
    assert read_lines(path) == ["a\u2028b\x85", "", " c"]
    path.write_text("a\n")
    assert read_lines(path) == ["a"]
    path.write_text("")
    assert read_lines(path) == []


def test_sha256_of_a_published_vector(tmp_path):
    (tmp_path / "abc").write_text("abc")  # FIPS 180-4, example B.1
    assert sha256(tmp_path / "abc") == \
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def make_tar(path: Path, member: tarfile.TarInfo, data: bytes = b"") -> Path:
    member.size = len(data)
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(member, io.BytesIO(data))
    return path


def test_extract(tmp_path):
    archive = make_tar(tmp_path / "x.tar.gz", tarfile.TarInfo("a/b.txt"), b"text")
    extract_tar(archive, tmp_path / "out")
    assert (tmp_path / "out/a/b.txt").read_bytes() == b"text"


def test_extract_by_the_tarfile_of_python_3_11_2(tmp_path, monkeypatch):
    """It has no filters."""
    extractall = tarfile.TarFile.extractall
    monkeypatch.setattr(tarfile.TarFile, "extractall",
                        lambda self, path=".", members=None: extractall(self, path, members))
    monkeypatch.delattr(tarfile, "FilterError", raising=False)
    test_extract(tmp_path)


def hostile(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


@pytest.mark.parametrize("member", [
    hostile("../evil"),
    hostile("a/../../evil"),
    hostile("a/.."),
    hostile("/evil"),
    hostile("link", tarfile.SYMTYPE, "../evil"),
    hostile("link", tarfile.SYMTYPE, "/etc/passwd"),
    hostile("link", tarfile.LNKTYPE, "../victim"),
    hostile("device", tarfile.CHRTYPE),
], ids=lambda member: f"{member.name} {member.linkname}")
def test_tar_that_leaves_the_folder(tmp_path, member):
    (tmp_path / "victim").write_text("kept")
    archive = make_tar(tmp_path / "x.tar.gz", member)
    with pytest.raises(AsrError, match="unsafe archive"):
        extract_tar(archive, tmp_path / "out")
    assert not (tmp_path / "evil").exists()
    assert (tmp_path / "victim").read_text() == "kept"


def test_tar_with_folders(tmp_path):
    for name in ("a", "a/empty"):
        (tmp_path / "in" / name).mkdir(parents=True)
    (tmp_path / "in/a/b.txt").write_text("text")
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "in", ".")
    extract_tar(tmp_path / "x.tar.gz", tmp_path / "out")
    assert sorted(tmp_path.glob("out/**/*")) == [
        tmp_path / "out/a", tmp_path / "out/a/b.txt", tmp_path / "out/a/empty"]


def test_damaged_archives(tmp_path):
    archive = make_tar(tmp_path / "x.tar.gz", tarfile.TarInfo("a"),
                       " ".join(map(str, range(30_000))).encode())
    whole = archive.read_bytes()
    middle = len(whole) // 2
    damaged = whole[:middle] + bytes(40) + whole[middle + 40:]
    for data in (whole[:middle], whole[:10], damaged, b"no archive at all", b"",
                 gzip.compress(b"no tar")):
        archive.write_bytes(data)
        with pytest.raises(AsrError, match="not a whole tar archive") as caught:
            extract_tar(archive, tmp_path / "out")
        assert "\n" not in str(caught.value)


def test_a_name_as_long_as_may_be(tmp_path):
    path = tmp_path / ("ß" * 127)  # 254 bytes
    with atomic_write(path) as file:
        file.write("kept")
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "kept"
