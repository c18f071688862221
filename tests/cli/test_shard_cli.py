"""Commands in several processes give the files of one."""

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import soundfile

from asr.cli import asr, main
from asr.transcribe.outputs import WRITTEN

COUNT = 3


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    random = np.random.default_rng(0)
    lines = []
    for i in range(8):
        seconds = 0.3 + 0.2 * (i % 5)
        loudness = np.abs(np.sin(np.arange(round(8000 * seconds)) / 1500))
        soundfile.write(folder / f"{i}.wav", 0.1 * loudness
                        * random.standard_normal(len(loudness)), 8000)
        lines.append({"id": f"u{i}", "audio": f"{i}.wav", "text": "a", "speaker": f"s{i % 2}",
                      "duration": seconds, "sample_rate": 8000})
    (folder / "set.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def commands(corpus, model, place, *shard):
    """Features, decoding of the store that one process made, and transcripts, below `place`."""
    audio = [str(corpus / f"{i}.wav") for i in range(8)]
    place = corpus / place
    return [["features", str(corpus / "set.jsonl"), f"{place}/store", "mels=12", "sample_rate=8000",
             *shard],
            ["decode", str(model), str(corpus / "whole/store"), f"{place}/out.jsonl", *shard],
            ["transcribe", *audio, "--model", str(model), "--format", "json", "--output",
             f"{place}/text", *shard]]


# All commands in one process, for it takes seconds to load torch; small batches, so that every
# shard has some.
CODE = textwrap.dedent("""
    import json, sys
    from asr.cli import asr
    from asr.features import batch
    batch.BATCH_FRAMES = 100
    for arguments in json.loads(sys.argv[1]):
        asr.main(arguments, standalone_mode=False)
""")


def content(folder):
    """All files, but for the log of what was written when."""
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*") if path.is_file() and path.name != WRITTEN}


@pytest.fixture(scope="module")
def whole(babbler, corpus):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asr.features.batch.BATCH_FRAMES", 100)
        for arguments in commands(corpus, babbler, "whole"):
            asr.main(arguments, standalone_mode=False)
    found = content(corpus / "whole")
    assert len(found) == 5 + 1 + (8 + 1)
    return found


@pytest.mark.slow
def test_three_processes_write_the_bytes_of_one(babbler, corpus, whole):
    processes = [
        subprocess.Popen([sys.executable, "-c", CODE, json.dumps(
            commands(corpus, babbler, "shards", "--shard", f"{number}/{COUNT}"))])
        for number in range(1, COUNT + 1)]
    assert [process.wait(timeout=300) for process in processes] == [0] * COUNT
    assert content(corpus / "shards") == whole
    assert sorted(path.name for path in (corpus / "shards").iterdir()) == [
        "out.jsonl", "store", "text"]


@pytest.mark.slow
def test_torchrun_writes_the_bytes_of_one(babbler, corpus, whole):
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node",
         str(COUNT), "-m", "asr", *commands(corpus, babbler, "ranks")[0]], capture_output=True,
        text=True, check=False, timeout=300, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("merging 3 parts") == 1
    assert {f"store/{name}": value for name, value in content(corpus / "ranks/store").items()} == {
        name: value for name, value in whole.items() if name.startswith("store/")}


def refused(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["asr", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize("command", [0, 1, 2])
@pytest.mark.parametrize("shard", ["0/3", "4/3", "3", "x/y"])
def test_what_is_no_shard_is_refused_before_any_work(command, shard, tmp_path, monkeypatch, capsys):
    arguments = commands(tmp_path, "model", "out", "--shard", shard)[command]
    assert f"--shard {shard}: expected I/N" in refused(monkeypatch, capsys, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_transcribe_without_output(corpus, monkeypatch, capsys):
    said = refused(monkeypatch, capsys, "transcribe", str(corpus / "0.wav"), "--model", "m",
                   "--shard", "1/2")
    assert "--output DIR" in said


def as_rank(monkeypatch, rank, world):
    monkeypatch.setenv("RANK", str(rank))
    monkeypatch.setenv("WORLD_SIZE", str(world))


def test_a_rank_that_fails_says_why_and_leaves_with_2(corpus, tmp_path, monkeypatch, capsys):
    line = json.loads((corpus / "set.jsonl").read_text().splitlines()[0])
    manifest = tmp_path / "set.jsonl"
    manifest.write_text("".join(json.dumps(line | {"id": name, "audio": str(corpus / audio)}) + "\n"
                                for name, audio in (("u", "0.wav"), ("v", "none.wav"))))
    command = ["features", str(manifest), str(tmp_path / "store"), "sample_rate=8000"]
    as_rank(monkeypatch, 0, 2)
    asr.main(command, standalone_mode=False)
    capsys.readouterr()
    as_rank(monkeypatch, 1, 2)
    assert f"asr: error: utterance v: {corpus}/none.wav: no such file" in refused(
        monkeypatch, capsys, *command)
    assert not (tmp_path / "store").exists()
    assert len(list(tmp_path.glob("store.parts-2-*/1/store.json"))) == 1


@pytest.mark.parametrize(("world", "code"), [(1, 1), (2, 0)])
def test_a_bad_file_does_not_end_torchruns_other_processes(world, code, babbler, corpus, tmp_path,
                                                           monkeypatch, capsys):
    """Torchrun would stop them all if one left with another code than 0."""
    (tmp_path / "bad.wav").write_text("no audio")
    as_rank(monkeypatch, 0, world)
    monkeypatch.setattr(sys, "argv", [
        "asr", "transcribe", str(tmp_path / "bad.wav"), *(str(corpus / f"{i}.wav") for i in (0, 1)),
        "--model", str(babbler), "--output", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == code
    assert "bad.wav: not readable as audio" in capsys.readouterr().err
    assert (tmp_path / "out" / "1.txt").exists()
