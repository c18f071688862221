from pathlib import Path

import click

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def lm() -> None:
    """Language models: from running text to n-grams."""


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

    TEXTS hold a paragraph a line, plain or packed (.gz, .xz); so does OUTPUT by its name.
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
@click.option("--cutoffs", default="0", show_default=True, metavar="N,N,…",
              help="Leave out n-grams of each order whose count is not above this.")
@click.option("--prune", "threshold", default=0.0, show_default=True,
              type=click.FloatRange(min=0),
              help="Leave out n-grams without which perplexity grows by less than this share.")
@click.option("--quantise", is_flag=True, help="8 bits for a probability; OUTPUT is a .lm.")
def build(texts: tuple[Path, ...], output: Path, order: int, words: int | None,
          vocabulary: Path | None, cutoffs: str, threshold: float, quantise: bool) -> None:
    """Estimate an n-gram model (modified Kneser-Ney) from sentences, one a line.

    OUTPUT is an ARPA file (.arpa, or packed .arpa.gz or .arpa.xz) or binary (.lm). An <unk> in
    TEXTS is an unknown word; <s> and </s> are refused, since every line is a sentence.
    """
    from asr.lm.binary import check_output, save_lm
    from asr.lm.build import build as build_model

    check_output(output, quantise)
    try:
        minima = [int(number) for number in cutoffs.split(",")]
    except ValueError:
        raise click.BadParameter(f"{cutoffs!r} is no list of numbers", param_hint="--cutoffs") \
            from None
    save_lm(output, build_model(texts, order, words, vocabulary, minima, threshold), quantise)


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
@click.argument("model", type=_FILE)
@click.argument("texts", nargs=-1, required=True, type=_FILE)
@click.option("--normaliser", default="none", show_default=True, metavar="NAME")
def perplexity(model: Path, texts: tuple[Path, ...], normaliser: str) -> None:
    """Measure MODEL on sentences, one a line, or on the transcripts of manifests (.jsonl)."""
    from asr.lm.binary import load_lm
    from asr.lm.build import perplexity as measure
    from asr.lm.build import read_transcripts
    from asr.text.normalise import normaliser as named

    result, unknown = measure(load_lm(model), read_transcripts(texts, named(normaliser)))
    click.echo(f"{result.sentences} sentences, {result.words} words")
    click.echo(f"unknown words  {result.unknown} ({100 * result.unknown / result.words:.2f} %)")
    click.echo(f"perplexity     {result.perplexity:.1f} without unknown words, "
               f"{result.perplexity_all:.1f} with them as <unk>")
    if unknown:
        most = ", ".join(f"{word} {count}" for word, count in unknown.most_common(10))
        click.echo(f"most frequent  {most}")
