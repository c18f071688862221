from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import click

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)


def _reading(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that reads a corpus."""
    command = click.option("--skip-unreadable", is_flag=True, help="Leave out utterances without "
                           "usable audio, naming each, instead of refusing.")(command)
    return click.option("--normaliser", default="librispeech", show_default=True, metavar="NAME",
                        help="What is done to the texts; `none` keeps them.")(command)


@click.group()
def prepare() -> None:
    """Turn a corpus into manifests: one JSON line for each utterance."""


@prepare.command()
@click.argument("corpus_dir", type=_FOLDER)
@click.argument("out_dir", type=_FOLDER)
@click.option("--subset", "subsets", multiple=True, required=True, metavar="NAME",
              help="E.g. train-clean-5; give it again for more.")
@click.option("--download", is_flag=True, help="Fetch from openslr.org what is not there.")
@_reading
def librispeech(corpus_dir: Path, out_dir: Path, subsets: tuple[str, ...], download: bool,
                normaliser: str, skip_unreadable: bool) -> None:
    """LibriSpeech and mini LibriSpeech.

    CORPUS_DIR/<subset>/ becomes OUT_DIR/<subset>.jsonl. CORPUS_DIR holds the subset folders (or
    LibriSpeech/ with them). Subsets: train-clean-5, train-clean-100, train-clean-360,
    train-other-500, dev-clean, dev-clean-2, dev-other, test-clean, test-other, or any folder laid
    out alike.
    """
    from asr.prepare.corpus import write_corpus
    from asr.prepare.download import fetch_librispeech
    from asr.prepare.librispeech import prepare_librispeech

    for subset in subsets:
        if download:
            fetch_librispeech(corpus_dir, subset)
        write_corpus(out_dir / f"{subset}.jsonl",
                     prepare_librispeech(corpus_dir, subset, normaliser, skip_unreadable))


@prepare.command()
@click.argument("corpus_dir", type=_FOLDER)
@click.argument("out_dir", type=_FOLDER)
@_reading
def an4(corpus_dir: Path, out_dir: Path, normaliser: str, skip_unreadable: bool) -> None:
    """CMU AN4 (Census).

    CORPUS_DIR holds etc/ and wav/. Writes OUT_DIR/train.jsonl, dev.jsonl (every eighth speaker of
    the training part) and, where the corpus holds that part, test.jsonl.
    """
    from asr.prepare.an4 import prepare_an4
    from asr.prepare.corpus import write_corpus

    for part, utterances in prepare_an4(corpus_dir, normaliser, skip_unreadable).items():
        write_corpus(out_dir / f"{part}.jsonl", utterances)


@prepare.command()
@click.argument("corpus_dir", type=_FOLDER)
@click.argument("manifest", type=_FILE)
@_reading
def ljspeech(corpus_dir: Path, manifest: Path, normaliser: str, skip_unreadable: bool) -> None:
    """A single reader in LJSpeech's layout.

    CORPUS_DIR holds metadata.csv and wavs/; MANIFEST is written.
    """
    from asr.prepare.corpus import write_corpus
    from asr.prepare.ljspeech import prepare_ljspeech

    write_corpus(manifest, prepare_ljspeech(corpus_dir, normaliser, skip_unreadable))


@prepare.command()
@click.argument("data_dir", type=_FOLDER)
@click.argument("manifest", type=_FILE)
@_reading
def kaldi(data_dir: Path, manifest: Path, normaliser: str, skip_unreadable: bool) -> None:
    """A Kaldi data directory.

    DATA_DIR holds wav.scp, text, utt2spk and perhaps segments; MANIFEST is written. Commands in
    wav.scp are refused.
    """
    from asr.prepare.corpus import write_corpus
    from asr.prepare.kaldi import prepare_kaldi

    write_corpus(manifest, prepare_kaldi(data_dir, normaliser, skip_unreadable))


@prepare.command()
@click.argument("tsv", type=_FILE)
@click.argument("manifest", type=_FILE)
@_reading
def commonvoice(tsv: Path, manifest: Path, normaliser: str, skip_unreadable: bool) -> None:
    """Mozilla Common Voice.

    TSV is a list such as validated.tsv, with clips/ beside it; MANIFEST is written.
    """
    from asr.prepare.commonvoice import prepare_commonvoice
    from asr.prepare.corpus import write_corpus

    write_corpus(manifest, prepare_commonvoice(tsv, normaliser, skip_unreadable))


@prepare.command()
@click.argument("table", type=_FILE)
@click.argument("manifest", type=_FILE)
@_reading
def table(table: Path, manifest: Path, normaliser: str, skip_unreadable: bool) -> None:
    """A CSV or TSV table of one's own recordings.

    The first line of TABLE names its columns: audio and text, and if wanted id, speaker, start
    and duration (seconds); any others are kept as extra. MANIFEST is written.
    """
    from asr.prepare.corpus import write_corpus
    from asr.prepare.table import prepare_table

    write_corpus(manifest, prepare_table(table, normaliser, skip_unreadable))


@prepare.command()
@click.argument("manifest", type=_FILE)
@click.argument("rest", type=_FILE)
@click.argument("held_out", type=_FILE)
@click.option("--by", "key", type=click.Choice(["speaker", "text"]), default="speaker",
              show_default=True, help="What is never on both sides.")
@click.option("--share", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.1,
              show_default=True, help="Of the speakers or texts that are held out.")
def split(manifest: Path, rest: Path, held_out: Path, key: Literal["speaker", "text"],
          share: float) -> None:
    """Hold a part of MANIFEST out, where a corpus has no development set.

    REST and HELD_OUT are written.
    """
    from asr.prepare.split import split_manifest

    split_manifest(manifest, rest, held_out, key, share)


@prepare.command()
@click.argument("noise_dir", type=_FOLDER)
@click.argument("manifest", type=_FILE)
def nonspeech(noise_dir: Path, manifest: Path) -> None:
    """Sound in which nothing is said, for `asr train nonspeech=true`.

    NOISE_DIR holds recordings of noise, in sub-folders too; MANIFEST is written, and beside it a
    folder of its name with synthetic sounds: silence, tones, hum, clicks, coloured noise. It must
    not be in NOISE_DIR.
    """
    from asr.prepare.corpus import write_corpus
    from asr.prepare.nonspeech import prepare_nonspeech

    write_corpus(manifest, prepare_nonspeech(noise_dir, manifest))


@prepare.command()
@click.argument("out_dir", type=_FOLDER)
@click.option("--seed", default=0, show_default=True)
def synthetic(out_dir: Path, seed: int) -> None:
    """A small corpus spoken by espeak-ng.

    Its audio and manifests are written to OUT_DIR.
    """
    from asr.prepare.synthetic import make_corpus

    make_corpus(out_dir, seed)
