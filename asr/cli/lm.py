from pathlib import Path

import click

from asr.cli.options import FiniteRange, NumberList
from asr.files import file_name, write_stdout

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def lm() -> None:
    """Language models: from running text to n-grams and LSTMs."""


@lm.command()
@click.argument("texts", nargs=-1, required=True, type=_FILE)
@click.argument("output", type=_FILE)
@click.option("--normaliser", default="librispeech", show_default=True, metavar="NAME",
              help="The one that the transcripts went through.")
@click.option("--roman", is_flag=True, help="Read Roman numerals (XIV, not I) as numbers.")
@click.option("--characters", is_flag=True, help="Part the characters, for a model of these.")
def text(texts: tuple[Path, ...], output: Path, normaliser: str, roman: bool, characters: bool
         ) -> None:
    """Make running text into sentences as they are spoken, one a line.

    TEXTS hold a paragraph a line, plain or packed (.gz, .xz), or are manifests (.jsonl), whose
    transcripts are taken; OUTPUT is packed if its name says so.
    Abbreviations and numbers are spelt out before the normaliser sees them.
    """
    from asr.lm.build import write_sentences
    from asr.text.normalise import normaliser as named

    write_sentences(texts, output, named(normaliser), roman, characters)


@lm.command()
@click.argument("texts", nargs=-1, required=True, type=_FILE)
@click.argument("output", type=_FILE)
@click.option("--order", default=3, show_default=True, type=click.IntRange(1, 5),
              help="Words of the longest n-grams.")
@click.option("--words", type=click.IntRange(min=1),
              help="Take only so many of the most frequent words; the others are <unk>.")
@click.option("--vocabulary", type=_FILE, help="Take the words of this file, one a line.")
@click.option("--cutoffs", default="0", show_default=True, metavar="N,N,…", type=NumberList(int),
              help="Leave out n-grams of each order whose count is not above this.")
@click.option("--prune", "threshold", default=0.0, show_default=True,
              type=FiniteRange(min=0),
              help="Leave out n-grams without which perplexity grows by less than this share.")
@click.option("--quantise", is_flag=True, help="8 bits for a probability; OUTPUT is a .lm.")
def build(texts: tuple[Path, ...], output: Path, order: int, words: int | None,
          vocabulary: Path | None, cutoffs: list[int], threshold: float, quantise: bool) -> None:
    """Estimate an n-gram model (modified Kneser-Ney) from sentences: the lines of texts, plain or
    packed (.gz, .xz), and the transcripts of manifests (.jsonl).

    OUTPUT is an ARPA file (.arpa, or packed .arpa.gz or .arpa.xz) or binary (.lm). An <unk> in
    TEXTS is an unknown word; <s> and </s> are refused, since every line is a sentence.
    """
    from asr.lm.binary import check_output, save_lm
    from asr.lm.build import build as build_model

    check_output(output, quantise)
    save_lm(output, build_model(texts, order, words, vocabulary, cutoffs, threshold), quantise)


@lm.command()
@click.argument("model", type=_FILE)
@click.argument("output", type=_FILE)
@click.option("--quantise", is_flag=True, help="8 bits for a probability; OUTPUT is a .lm.")
def convert(model: Path, output: Path, quantise: bool) -> None:
    """Write MODEL in the format that OUTPUT's name asks for: .lm, .arpa, .arpa.gz, .arpa.xz."""
    from asr.lm.binary import check_output, load_lm, save_lm

    check_output(output, quantise)
    save_lm(output, load_lm(model), quantise)


@lm.command()
@click.argument("models", nargs=-1, required=True, type=_FILE)
@click.argument("output", type=_FILE)
@click.option("--dev", "development", type=_FILE,
              help="Sentences, one a line, or a manifest (.jsonl) to fit the weights to.")
@click.option("--normaliser", default="none", show_default=True, metavar="NAME", help="For --dev.")
@click.option("--weights", metavar="W,W,…", type=NumberList(float),
              help="Or the weights, one for each model; they sum to 1.")
@click.option("--quantise", is_flag=True, help="8 bits for a probability; OUTPUT is a .lm.")
def mix(models: tuple[Path, ...], output: Path, development: Path | None, normaliser: str,
        weights: list[float] | None, quantise: bool) -> None:
    """Interpolate n-gram MODELS linearly: one OUTPUT with the words and n-grams of all.

    A model of much text and one of little, but like what is to be recognised, are together better
    than one of both texts. Weights that suit --dev are printed.
    """
    from asr.lm.binary import check_output, load_lm, save_lm
    from asr.lm.build import read_sentences
    from asr.lm.mix import fitted_weights
    from asr.lm.mix import mix as mix_models
    from asr.text.normalise import normaliser as named

    check_output(output, quantise)
    if len(models) < 2:
        raise click.UsageError("give two MODELS or more, then OUTPUT")
    if (development is None) == (weights is None):
        raise click.UsageError("give --dev, a text that the weights are to suit, or --weights")
    loaded = [load_lm(model) for model in models]
    if development is not None:
        weights = fitted_weights(loaded, map(named(normaliser), read_sentences([development])))
        write_stdout("".join(f"{weight:.4f}  {file_name(model)}\n"
                             for model, weight in zip(models, weights, strict=True)))
    assert weights is not None
    save_lm(output, mix_models(loaded, weights), quantise)


@lm.command()
@click.argument("arguments", nargs=-1, required=True, metavar="TEXTS... OUTPUT [KEY=VALUE]...")
@click.option("--dev", "development", type=_FILE, required=True,
              help="Sentences, one a line, or a manifest (.jsonl) to measure on after each epoch.")
@click.option("--normaliser", default="none", show_default=True, metavar="NAME",
              help="For --dev; TEXTS are taken as they are.")
@click.option("--config", type=_FILE, help="YAML file of settings.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint beside OUTPUT; start if "
              "there is none.")
def train(arguments: tuple[str, ...], development: Path, normaliser: str, config: Path | None,
          resume: bool) -> None:
    """Train an LSTM language model on sentences: the lines of texts, plain or packed (.gz, .xz),
    and the transcripts of manifests (.jsonl).

    OUTPUT is a .safetensors file: the weights that were best on --dev. Settings come from --config
    and KEY=VALUE, e.g. `vocabulary.kind=words vocabulary.size=20000 epochs=5`.
    """
    from asr.config import load_config
    from asr.lm.build import read_sentences
    from asr.lm.lstm_train import LstmTrainConfig, train_lstm
    from asr.text.normalise import normaliser as named

    paths = [Path(argument) for argument in arguments]
    place = next((i for i, path in enumerate(paths) if path.suffix == ".safetensors"), 0)
    if not place:
        raise click.UsageError("give TEXTS, then OUTPUT, whose name must end in .safetensors")
    settings = load_config(LstmTrainConfig, config, arguments[place + 1:])
    sentences = map(named(normaliser), read_sentences([development]))
    train_lstm(paths[:place], paths[place], list(sentences), settings, resume)


@lm.command()
@click.argument("model", type=_FILE)
@click.option("--sentences", default=10, show_default=True, type=click.IntRange(min=1),
              metavar="N")
@click.option("--seed", default=0, show_default=True, metavar="S")
@click.option("--temperature", default=1.0, show_default=True, metavar="T",
              type=FiniteRange(min=0.01), help="Below 1: what is likely; above: variety.")
@click.option("--longest", default=200, show_default=True, type=click.IntRange(min=1), metavar="N",
              help="Units after which a sentence is cut off.")
def sample(model: Path, sentences: int, seed: int, temperature: float, longest: int) -> None:
    """Print sentences that the LSTM MODEL makes up, one a line."""
    from asr.lm.lstm import LstmModel

    for sentence in LstmModel.load(model).sample(sentences, seed, temperature, longest):
        write_stdout(f"{sentence}\n")


@lm.command()
@click.argument("model", type=_FILE)
@click.argument("texts", nargs=-1, required=True, type=_FILE)
@click.option("--normaliser", default="none", show_default=True, metavar="NAME")
def perplexity(model: Path, texts: tuple[Path, ...], normaliser: str) -> None:
    """Measure MODEL on sentences, one a line, or on the transcripts of manifests (.jsonl).

    MODEL is an LSTM (.safetensors) or n-grams: perplexities are per word and comparable, the
    second one always, the first one between models of one vocabulary. An LSTM of byte pairs or
    characters has what can be spelt of an unknown word in place of <unk>.
    """
    from asr.lm.binary import load_lm
    from asr.lm.build import LanguageModel, read_sentences
    from asr.lm.build import perplexity as measure
    from asr.text.normalise import normaliser as named

    loaded: LanguageModel
    if model.suffix == ".safetensors":
        from asr.lm.lstm import LstmModel  # here: torch takes seconds, which n-grams do not need

        loaded = LstmModel.load(model)
    else:
        loaded = load_lm(model)
    result, unknown = measure(loaded, map(named(normaliser), read_sentences(texts)))
    write_stdout(f"{result.sentences} sentences, {result.words} words\n"
                 f"unknown words  {result.unknown} ({100 * result.unknown / result.words:.2f} %)\n"
                 f"perplexity     {result.perplexity:.1f} without unknown words, "
                 f"{result.perplexity_all:.1f} with them as <unk>\n")
    if unknown:
        most = ", ".join(f"{word} {count}" for word, count in unknown.most_common(10))
        write_stdout(f"most frequent  {most}\n")
