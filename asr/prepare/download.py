"""LibriSpeech archives from OpenSLR: resumed where a transfer was cut, checked, safely unpacked."""

import http.client
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from asr.errors import AsrError, one_line
from asr.files import atomic_folder, cannot_write, extract_tar, sha256
from asr.prepare.librispeech import has_subset, librispeech_root
from asr.progress import log, track_bytes

OPENSLR = "https://www.openslr.org/resources"
ARCHIVES = {
    "train-clean-5": (31, "47805806c8b15f7549f3c51bd6b7da72ec0128a34d32830c8014a88658c0292d"),
    "dev-clean-2": (31, "176ec501490eced2d6c1f89f4f0ddc7dfe799e649e5322f8ba49fe3ff50c8012"),
    "train-clean-100": (12, "d4ddd1d5a6ab303066f14971d768ee43278a5f2a0aa43dc716b0e64ecbbbf6e2"),
    "train-clean-360": (12, "146a56496217e96c14334a160df97fffedd6e0a04e66b9c5af0d40be3c792ecf"),
    "train-other-500": (12, "ddb22f27f96ec163645d53215559df6aa36515f26e01dd70798188350adcb6d2"),
    "dev-clean": (12, "76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3"),
    "dev-other": (12, "12661c48e8c3fe1de2c1caa4c3e135193bfb1811584f11f569dd12645aa84365"),
    "test-clean": (12, "39fde525e59672dc6d1551919b1478f724438a95aa55f874b576be21967e6c23"),
    "test-other": (12, "d09c181bba5cf717b3dee7d4d592af11a3ee3a09e08ae025c5506f6ebe961c29"),
}
"""OpenSLR resource and SHA-256 by subset. OpenSLR itself publishes MD5 sums only: the SHA-256 of
resource 12 are those in torchaudio's `datasets/librispeech.py`; those of resource 31 are recorded
by several users beside the published MD5 (5df7d4e7… and 6d7ab67a…)."""

_TIMEOUT = 30.0  # seconds without a byte after which a transfer counts as cut
_BLOCK = 1 << 18


class _CutError(Exception):
    """The network failed; what has arrived is kept."""


def fetch_librispeech(corpus: Path, subset: str, base: str = OPENSLR) -> None:
    """Make a subset's folder be there: nothing if it is, else from its archive, else fetched.

    Parameters
    ----------
    corpus : Path
        As for `prepare_librispeech`; the archive goes there as `<subset>.tar.gz` and is kept.
    base : str
        Address below which `<resource>/<subset>.tar.gz` lies.

    Raises
    ------
    AsrError
        The subset has no known archive, the network or the disk failed, or the archive is not
        the published one. Nothing that was there is deleted, and no half-unpacked folder stays.
    """
    if has_subset(corpus, subset):
        return
    if subset not in ARCHIVES:
        raise AsrError(f"no archive is known for {subset}; known: {', '.join(ARCHIVES)}")
    root = librispeech_root(corpus)
    resource, checksum = ARCHIVES[subset]
    archive = root / f"{subset}.tar.gz"
    fetch(f"{base}/{resource}/{subset}.tar.gz", archive, checksum)
    log(f"unpacking {archive}")
    with atomic_folder(root / subset, ()) as folder:
        extract_tar(archive, folder)
        _hoist(folder, subset, archive)


def fetch(url: str, path: Path, checksum: str) -> None:
    """Make the file be at `path` with the SHA-256 `checksum`.

    A file that is there is only checked. Otherwise what arrives is kept in `<path>.partial`,
    which a later call continues (HTTP Range). A server without it starts anew, and what is there
    stays until the new transfer has become as long.

    Raises
    ------
    AsrError
        The network or the disk failed, or the checksum differs; a fetched file with another
        checksum is kept as `<path>.wrong`.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        if path.exists():
            if sha256(path) != checksum:
                raise AsrError(f"{path}: not the published file (its SHA-256 is not "
                               f"{checksum[:12]}…), perhaps cut off; move it away to fetch it "
                               "again")
            return
        partial.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
        track_bytes(_transfer(url, path, partial), path.name)
        if sha256(partial) != checksum:
            wrong = partial.replace(path.with_name(f"{path.name}.wrong"))
            raise AsrError(f"{url}: what arrived is not the published file (its SHA-256 is not "
                           f"{checksum[:12]}…); it is kept as {wrong}, run again to fetch it anew")
        partial.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error


def _transfer(url: str, path: Path, partial: Path) -> Iterator[tuple[int, int | None]]:
    """Fetch until nothing is missing; give up when an attempt brings nothing new.

    Yields what `_append` does.
    """
    while True:
        before = partial.stat().st_size
        try:
            yield from _append(url, partial)
            return
        except _CutError as error:
            if partial.stat().st_size == 0:
                partial.unlink()
            elif partial.stat().st_size > before:
                continue
            raise AsrError(f"cannot fetch {url} ({error}); run again to continue, or download it "
                           f"by hand and put it at {path}") from None


def _append(url: str, partial: Path) -> Iterator[tuple[int, int | None]]:
    """Continue `partial`; yields the bytes that are there, and those of the whole if known."""
    before = partial.stat().st_size
    request = urllib.request.Request(url)  # noqa: S310 (the addresses are this module's)
    if before:
        request.add_header("Range", f"bytes={before}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and before:
            return  # all of it is there; the checksum tells whether it is the right one
        raise _CutError(one_line(error)) from None
    except (OSError, http.client.HTTPException) as error:
        raise _CutError(_reason(error)) from None
    with response:
        anew = before > 0 and response.status != http.client.PARTIAL_CONTENT
        target = partial.with_name(f"{partial.name}.anew") if anew else partial
        done = 0 if anew else before
        total = None if response.length is None else done + response.length
        try:
            with target.open("wb" if anew else "ab") as file:
                for block in _blocks(response):
                    done += file.write(block)
                    if anew and done >= before:
                        target.replace(partial)
                        anew = False
                    yield done, total
        finally:
            if anew:
                target.unlink(missing_ok=True)
    if total is not None and done < total:
        raise _CutError(f"cut off at {done:,} of {total:,} bytes")
    if anew:
        raise _CutError(f"the server sends {done:,} bytes anew, not the rest after {before:,}")


def _blocks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """What arrives, block by block; errors of the network only, unlike those of the disk."""
    while True:
        try:
            block = response.read1(_BLOCK)
        except (OSError, http.client.HTTPException) as error:
            raise _CutError(_reason(error)) from None
        if not block:
            return
        yield block


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error or type(error).__name__)


def _hoist(folder: Path, subset: str, archive: Path) -> None:
    """Move `LibriSpeech/<subset>/*` of an unpacked archive up, its tables beside the subset."""
    inner = folder / "LibriSpeech"
    if not (inner / subset).is_dir():
        raise AsrError(f"{archive}: no LibriSpeech/{subset}/ in it")
    for table in inner.glob("*.TXT"):
        if not (archive.parent / table.name).exists():
            table.rename(archive.parent / table.name)
    for speaker in (inner / subset).iterdir():
        speaker.rename(folder / speaker.name)
    shutil.rmtree(inner)
