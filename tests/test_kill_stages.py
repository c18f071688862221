"""prepare, features and transcribe, killed again and again over 200 files."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile

from asr.transcribe.outputs import WRITTEN

KILLER = '''
import os, random, signal, sys, time
import soundfile, soxr, torch
import asr.features.stage, asr.prepare.table, asr.transcribe.stage  # once for all
from asr.cli import asr

seed, kills, *arguments = sys.argv[1:]
random = random.Random(int(seed))
killed, lasted = 0, 0.5
while True:
    start = time.monotonic()
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        if random.random() < 0.5:  # while a file is there in part, and not yet renamed
            left, sync = random.randrange(1, 20), os.fsync

            def fsync(file):
                global left
                left -= 1
                if not left and killed < int(kills):
                    os.truncate(file, os.fstat(file).st_size * 2 // 3)
                    os.kill(os.getpid(), signal.SIGKILL)
                sync(file)
            os.fsync = fsync
        asr.main(arguments, standalone_mode=False)
        os._exit(0)
    if killed < int(kills):
        time.sleep(random.random() * lasted)
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != -signal.SIGKILL:
        if killed >= int(kills):
            print(killed, status)
            break
        lasted = max(0.8 * (time.monotonic() - start), 0.01)  # it was too late
        continue
    killed += 1
'''


def run(kills, *arguments):
    done = subprocess.run([sys.executable, "-c", KILLER, "1", str(kills), *map(str, arguments)],
                          capture_output=True, text=True, timeout=600, check=True)
    assert done.stdout.split() == [str(kills), "0"]


def content(path):
    """Every file of a folder, but for the log of what was written, or a file by itself."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*")
                                                 if p.is_file() and p.name != WRITTEN)
    return {str(file.relative_to(path.parent)): file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A table of 200 recordings of a quarter of a second."""
    folder = tmp_path_factory.mktemp("corpus")
    random = np.random.default_rng(0)
    rows = ["audio\ttext"]
    for i in range(200):
        soundfile.write(folder / f"{i:03}.wav", random.uniform(-0.3, 0.3, 2000), 8000)
        rows.append(f"{i:03}.wav\tabc def")
    (folder / "table.tsv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
@pytest.mark.parametrize("stage", ["prepare", "features", "transcribe"])
def test_the_end_is_that_of_a_run_that_was_left_alone(stage, corpus, babbler, tmp_path):
    manifest = tmp_path / "data.jsonl"
    if stage != "prepare":
        run(0, "prepare", "table", corpus / "table.tsv", manifest)
    found = {}
    for kills in (0, 17):
        target = tmp_path / str(kills) / "result"
        target.parent.mkdir()
        commands = {
            "prepare": ["prepare", "table", corpus / "table.tsv", target],
            "features": ["features", manifest, target, "mels=12", "--speeds", "0.9,1.0"],
            "transcribe": ["transcribe", "--model", babbler, "--output", target,
                           "--format", "text,json", *sorted(corpus.glob("*.wav"))]}
        run(kills, *commands[stage])
        found[kills] = content(target)
        assert [path.name for path in target.parent.rglob("*.partial*")] == []
    assert len(found[0]) == {"prepare": 1, "features": 5, "transcribe": 401}[stage]
    assert found[0] == found[17]
