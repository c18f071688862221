"""A training that is killed again and again."""

import json
import subprocess
import sys

import pytest
from dummies import TINY

KILLER = '''
import os, random, signal, sys, time
from pathlib import Path

import asr.train.stage as stage
import torch._dynamo, torch.utils.tensorboard, matplotlib.figure, sentencepiece  # once for all
from asr.config import load_config
from asr.train.config import TrainConfig

folder, train, dev, seed, kills, where, *overrides = sys.argv[1:]
random = random.Random(int(seed))
config = load_config(TrainConfig, None, overrides)
done = {"killed": 0, "folders": set()}
while True:
    child = os.fork()
    if not child:
        if where == "writing":  # the file is there in part, and not yet renamed
            left, sync = random.randrange(1, 6), os.fsync

            def fsync(file):
                global left
                left -= 1
                if not left:
                    os.truncate(file, os.fstat(file).st_size * 2 // 3)
                    os.kill(os.getpid(), signal.SIGKILL)
                sync(file)
            if done["killed"] < int(kills):
                os.fsync = fsync
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        stage.train_model(Path(folder), Path(train), Path(dev), config, resume=True)
        os._exit(0)
    if where == "anywhere" and done["killed"] < int(kills):
        checkpoint = Path(folder, "checkpoint.pt")
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None and (
                not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before):
            time.sleep(0.001)
        time.sleep(random.random() * 0.1)
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    random.random()  # another moment for the next one
    if status != -signal.SIGKILL:
        print(done["killed"], status)
        break
    done["killed"] += 1
'''


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
@pytest.mark.parametrize("where", ["anywhere", "writing"])
def test_the_weights_are_those_of_a_training_that_was_left_alone(where, stores, tmp_path):
    """Fifteen times each; with a checkpoint after every batch, of a dozen in an epoch."""
    settings = [*TINY, "epochs=8", "batch_seconds=3", "checkpoint_minutes=1e-9"]
    found = {}
    for kills in (0, 15):
        folder = tmp_path / str(kills)
        done = subprocess.run(
            [sys.executable, "-c", KILLER, str(folder), *map(str, stores), "1", str(kills), where,
             *settings], capture_output=True, text=True, timeout=600, check=True)
        killed, status = map(int, done.stdout.split())
        assert status == 0
        records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        found[kills] = ((folder / "bundle" / "model.safetensors").read_bytes(),
                        [(r["train_loss"], r["dev_loss"]) for r in records])
        assert killed == kills
        assert [path.name for path in folder.iterdir() if ".partial" in path.name] == []
    assert found[0] == found[15]
