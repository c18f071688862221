"""Training a grapheme-to-phoneme model on a dictionary: its settings, and the loop."""

import hashlib
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, model_validator

from asr.config import Config, Seed
from asr.errors import AsrError
from asr.features.batch import cut_batches
from asr.lexicon.dictionary import Pronunciation
from asr.lexicon.network import G2pConfig, G2pNetwork
from asr.lexicon.pronouncer import Pronouncer, padded
from asr.memory import keep_freed_memory
from asr.progress import log, track
from asr.randomness import generator
from asr.text.units import BLANK, frames_needed
from asr.train.checkpoint import check_resumable, load_checkpoint, save_checkpoint
from asr.train.config import ScheduleConfig
from asr.train.precision import training_dtype
from asr.train.schedule import learning_rate


class G2pTrainConfig(Config):
    """Settings of `asr lexicon train`."""

    seed: Seed = 0
    epochs: int = Field(8, ge=1)
    model: G2pConfig = G2pConfig()
    dropout: float = Field(0.2, ge=0, lt=1)
    """Probability of dropping a cell's output after each layer."""
    batch_letters: int = Field(1024, ge=1)
    """Letters in a batch, padding included."""
    learning_rate: float = Field(3e-3, gt=0)
    """Highest rate of AdamW."""
    clip: float = Field(1.0, gt=0)
    """Longest gradient of the loss per phone; a longer one is shortened to it."""
    schedule: ScheduleConfig = ScheduleConfig(warmup=0.25)
    held_out: float = Field(0.02, gt=0, lt=1)
    """Share of the words, chosen by name, that are only measured on."""

    @model_validator(mode="after")
    def _consistent(self) -> "G2pTrainConfig":
        if self.schedule.kind == "plateau":
            raise ValueError("schedule.kind=plateau waits for a development loss, which is not "
                             "measured here; take cosine or linear")
        return self


def train_pronouncer(dictionary: dict[str, list[Pronunciation]], output: Path,
                     config: G2pTrainConfig, resume: bool) -> None:
    """Train on words with their pronunciations; all of a word's count alike.

    After each epoch its state is written beside `output`, whose weights are the last epoch's.

    Parameters
    ----------
    resume : bool
        Go on from the state beside `output` if there is one; without it that is refused.

    Raises
    ------
    AsrError
        `output` is no .safetensors file; too few words; a state is there, or does not fit; the loss
        is no longer finite.
    """
    if output.suffix != ".safetensors":
        raise AsrError(f"{output}: the model is a .safetensors file; name one")
    checkpoint = output.with_name(f"{output.stem}.checkpoint.pt")
    if checkpoint.exists() and not resume:
        raise AsrError(f"{checkpoint}: a training of {output.name} is there already; go on with "
                       "--resume, or name another output")
    keep_freed_memory()
    letters = sorted(set().union(*map(set, dictionary)))
    phones = sorted({phone for found in dictionary.values() for each in found for phone in each})
    held_out = [word for word in dictionary
                if generator(config.seed, "held out", word).random() < config.held_out]
    torch.manual_seed(config.seed)
    network = G2pNetwork(config.model, len(letters), len(phones))
    pronouncer = Pronouncer(letters, phones, network)
    samples = _samples(dictionary, set(held_out), pronouncer)
    if not samples or not held_out:
        raise AsrError(f"{len(dictionary)} words are too few to learn from and to measure on")
    digest = hashlib.sha256(repr((letters, phones, samples)).encode()).hexdigest()[:16]
    optimiser = torch.optim.AdamW(network.parameters(), betas=(0.9, 0.98))
    first, reached = 1, {}
    if checkpoint.exists():
        state = load_checkpoint(checkpoint)
        check_resumable(checkpoint, state, {"config": config.model_dump(), "data": digest})
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        first, reached = state["epoch"] + 1, state["reached"]
    log(f"{len(samples):,} pronunciations, {len(held_out):,} words held out, {len(letters)} "
        f"letters, {len(phones)} phones, {sum(p.numel() for p in network.parameters()) / 1e6:.2f} "
        "M parameters")
    for epoch in range(first, config.epochs + 1):
        start = time.perf_counter()
        loss = _run_epoch(network, optimiser, samples, config, epoch)
        reached = _measure(pronouncer, {word: dictionary[word] for word in held_out})
        log(f"epoch {epoch:3d}  loss {loss:.3f}  held out: phone error rate "
            f"{100 * reached['phone_error_rate']:.2f} %  word error rate "
            f"{100 * reached['word_error_rate']:.2f} %  {time.perf_counter() - start:.0f} s")
        save_checkpoint(checkpoint, {
            "config": config.model_dump(), "data": digest, "epoch": epoch, "reached": reached,
            "network": network.state_dict(), "optimiser": optimiser.state_dict()})
    provenance: dict[str, Any] = {"dictionary": digest, "training": config.model_dump(mode="json"),
                                  "torch": torch.__version__, "held out": reached}
    pronouncer.save(output, provenance)


Sample = tuple[list[int], list[int]]  # letters, phones


def _samples(dictionary: dict[str, list[Pronunciation]], held_out: set[str],
             pronouncer: Pronouncer) -> list[Sample]:
    """What there is to learn: pronunciations that CTC can find in their words' frames."""
    number = {phone: i for i, phone in enumerate(pronouncer.phones, start=1)}
    samples = [(pronouncer.spell(word), [number[phone] for phone in pronunciation])
               for word, found in dictionary.items() if word not in held_out
               for pronunciation in found]
    return [(letters, phones) for letters, phones in samples
            if frames_needed(phones) <= len(letters) * pronouncer.network.config.frames]


def _run_epoch(network: G2pNetwork, optimiser: torch.optim.Optimizer, samples: Sequence[Sample],
               config: G2pTrainConfig, epoch: int) -> float:
    """Returns the mean loss in nats per phone."""
    random = generator(config.seed, "order", epoch)
    lengths = np.array([len(letters) for letters, _ in samples])
    order = np.lexsort((random.random(len(samples)), lengths)).tolist()
    plan = list(cut_batches(order, lengths, config.batch_letters))
    frames = config.model.frames
    dtype = training_dtype("auto", torch.device("cpu"))
    total = 0.0
    for step, place in enumerate(track(random.permutation(len(plan)), f"epoch {epoch}", len(plan))):
        letters, phones = zip(*(samples[i] for i in plan[place]), strict=True)
        counts = torch.tensor([len(row) for row in letters])
        labels = torch.tensor([phone for row in phones for phone in row])
        # Dropout draws from torch's generator: by the step's name, so that nothing else counts.
        torch.manual_seed(int(generator(config.seed, "dropout", epoch, step).integers(1 << 62)))
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            posteriors = network(padded(letters), counts, 1 - config.dropout)
        # Torch's: ours is the faster one for utterances, not for words.
        loss = F.ctc_loss(posteriors, labels, counts * frames,
                          torch.tensor([len(row) for row in phones]), BLANK, "sum")
        (loss / len(labels)).backward()
        norm = torch.nn.utils.clip_grad_norm_(network.parameters(), config.clip)
        if not math.isfinite(loss.item() + norm.item()):
            raise AsrError(f"epoch {epoch}: loss {loss.item():g}, gradient norm {norm.item():g}; "
                           "lower learning_rate")
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(config.learning_rate, config.schedule,
                                        epoch - 1 + (step + 1) / len(plan), config.epochs, [])
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        total += loss.item()
    return total / sum(len(phones) for _, phones in samples)


def _measure(pronouncer: Pronouncer, dictionary: dict[str, list[Pronunciation]]
             ) -> dict[str, float]:
    """Error rates against the nearest of each word's pronunciations."""
    wrong_words = errors = phones = 0
    for found, known in zip(pronouncer(list(dictionary)), dictionary.values(), strict=True):
        nearest = min((jiwer.process_words(" ".join(each), " ".join(found)) for each in known),
                      key=lambda result: result.wer)
        wrong = nearest.substitutions + nearest.deletions + nearest.insertions
        wrong_words += wrong > 0
        errors += wrong
        phones += nearest.hits + nearest.substitutions + nearest.deletions
    return {"phone_error_rate": errors / phones, "word_error_rate": wrong_words / len(dictionary)}
