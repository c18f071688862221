"""The only place that creates final files: all of a file appears, or none of it."""

import errno
import gzip
import hashlib
import lzma
import os
import re
import shutil
import socket
import sys
import tarfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from functools import cache
from pathlib import Path, PurePosixPath
from typing import IO, Any

from asr.errors import AsrError, one_line


def cannot_write(path: Path, error: OSError) -> AsrError:
    """The error to raise when writing `path` fails."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return AsrError(f"cannot write {path}: {error.strerror or error}; "
                    f"{'free some space or ' if full else ''}choose another place")


def file_name(path: str | Path) -> str:
    """A path as text that can be written: the names of files need not be valid Unicode."""
    return os.fsencode(path).decode("utf-8", "replace")


def same_place(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file or folder, there already or not."""
    return one.resolve() == other.resolve() or (one.exists() and other.exists()
                                                and one.samefile(other))


_LONGEST_NAME = 255  # bytes, of nearly all file systems
_HOST = re.sub(r"\W", "-", socket.gethostname())[:64]
_LEFT = re.compile(rf"\.(.+)\.{_HOST}\.(\d+)\.(partial|old)")


def write_stdout(text: str | Iterable[str]) -> None:
    """Print text, or pieces of it one after the other, at once.

    Raises
    ------
    AsrError
        Stdout goes to a file, and the disk is full.
    BrokenPipeError
        Its reader has left.
    """
    try:
        sys.stdout.writelines([text] if isinstance(text, str) else text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # What is left in the buffer would fail again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise cannot_write(Path("stdout"), error) from error


def _beside(path: Path, ending: str) -> Path:
    if not path.name:
        raise AsrError(f"cannot write {path}: name a file or folder of its own")
    rest = f".{_HOST}.{os.getpid()}.{ending}"
    name = path.name
    if len(os.fsencode(f".{name}{rest}")) > _LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return path.with_name(f".{name}{rest}")


def _target(path: Path) -> Path:
    """What a link stands for, often on a larger disk: that is what is replaced, not the link."""
    # Path.is_symlink would raise an error where it may not look.
    return Path(os.path.realpath(path)) if os.path.islink(path) else path  # noqa: PTH114


def _make_parent(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_left(path.parent.absolute(), os.getpid())


@cache
def _remove_left(folder: Path, _: int) -> None:
    """Remove, once in a process, what others on this machine left in a folder when killed.

    An old folder without the new one was left between the two renames: it gets its name back.
    """
    with suppress(OSError):
        for entry in list(folder.iterdir()):
            match = _LEFT.fullmatch(entry.name)
            if match is None or _alive(int(match[2])):
                continue
            if match[3] == "old" and not (folder / match[1]).exists():
                entry.rename(folder / match[1])
            elif entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        pass
    return True


def _open(path: Path, binary: bool) -> IO:
    return path.open("wb" if binary else "w", encoding=None if binary else "utf-8")


@contextmanager
def atomic_write(path: Path, binary: bool = False) -> Iterator[IO]:
    """Open a temporary file beside `path` and rename it there once the block succeeds.

    Where `path` is a link, so is it afterwards, and what it stands for is written. A pipe or a
    device is written to as it is.

    Raises
    ------
    AsrError
        The folder cannot be made or written to, or the disk is full. Nothing is left behind.
    BrokenPipeError
        The reader of a pipe has left.
    """
    target = _target(path)
    temporary = _beside(target, "partial")
    try:
        if path.exists() and not path.is_file():  # asked of /dev/stdout, whose target has no name
            with _open(path, binary) as file:
                yield file
            return
        _make_parent(target)
        with _open(temporary, binary) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def atomic_folder(path: Path, patterns: Collection[str]) -> Iterator[Path]:
    """Give a temporary folder beside `path` and rename it there once the block succeeds.

    Where `path` is a link, so is it afterwards, and what it stands for is replaced.

    Parameters
    ----------
    patterns : collection of str
        Names that such a folder may hold (`*.flac`). An existing one with nothing else in it is
        replaced as a whole; any other is somebody's own and is left alone.

    Raises
    ------
    AsrError
        The folder cannot be written, holds other files, or a file is in its place. Nothing is
        left behind.
    """
    path = _target(path)
    temporary = _beside(path, "partial")
    try:
        if path.is_file():
            raise AsrError(f"{path}: a file is where the folder should go; choose another place")
        others = sorted(entry.name for entry in (path.iterdir() if path.is_dir() else ())
                        if not any(fnmatch(entry.name, pattern) for pattern in patterns))
        if others:
            raise AsrError(f"{path} holds other files ({others[0]}); choose a folder of its own")
        _make_parent(path)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        yield temporary
        if path.exists():
            old = _beside(path, "old")
            path.rename(old)
            temporary.rename(path)
            shutil.rmtree(old)
        else:
            temporary.rename(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read_text(path: Path) -> str:
    """Read a UTF-8 text file, with or without byte order mark.

    Raises
    ------
    AsrError
        The file is missing, unreadable or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise AsrError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise AsrError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise AsrError(f"{path}: {error.strerror}") from None


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 text file, without their ends.

    Only line feeds end a line (`str.splitlines` would also split at U+2028 and its kin, which
    may stand inside a JSON string).
    """
    text = read_text(path)
    return text.removesuffix("\n").split("\n") if text else []


# Neither name nor time in gzip's header: the file is a function of what is written.
_PACKERS: dict[str, Callable[..., Any]] = {
    ".gz": lambda file, mode: gzip.GzipFile("", mode, fileobj=file, mtime=0),
    ".xz": lzma.open,
}
_MAGIC: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ\x00": lzma.open}


@contextmanager
def open_packed(path: Path) -> Iterator[IO[bytes]]:
    """Open a file's bytes for reading, unpacked if gzip or xz made it (told by its beginning).

    Raises
    ------
    AsrError
        It is missing, unreadable, damaged or cut off: also while it is read within the block.
    """
    try:
        with path.open("rb") as file:
            beginning = file.peek(6)  # does not move on, which in a pipe could not be undone
            for magic, unpack in _MAGIC.items():
                if beginning.startswith(magic):
                    with unpack(file) as unpacked:
                        yield unpacked
                    return
            yield file
    except FileNotFoundError:
        raise AsrError(f"{path}: no such file") from None
    except (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError) as error:
        raise AsrError(f"{path}: damaged or cut off ({error}); fetch or make it again") from None
    except OSError as error:
        raise AsrError(f"{path}: {error.strerror or error}") from None


@contextmanager
def atomic_write_packed(path: Path) -> Iterator[IO[bytes]]:
    """As `atomic_write` for bytes, packed where the name ends in .gz or .xz.

    The same bytes make the same file, whatever its name and the time.
    """
    with atomic_write(path, binary=True) as file:
        if path.suffix in _PACKERS:
            with _PACKERS[path.suffix](file, "wb") as packed:
                yield packed
        else:
            yield file


def sha256(path: Path) -> str:
    """The file's SHA-256 as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def extract_tar(archive: Path, folder: Path) -> None:
    """Unpack a tar archive's files and folders below `folder`.

    A link, a device, or a name that would leave the folder is an `AsrError`. Not by `tarfile`'s
    filters: Python 3.11 has them from 3.11.4 on.
    """
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                source = tar.extractfile(member) if member.isreg() else None
                if name.is_absolute() or ".." in name.parts or not (source or member.isdir()):
                    raise AsrError(f"{archive}: unsafe archive: {member.name} is no plain file or "
                                   "folder inside")
                if source is None:
                    (folder / name).mkdir(parents=True, exist_ok=True)
                else:
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    with (folder / name).open("wb") as file:
                        shutil.copyfileobj(source, file)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise AsrError(f"{archive}: not a whole tar archive ({one_line(error)}); "
                       "fetch it again") from None
    except OSError as error:
        raise cannot_write(folder, error) from error
