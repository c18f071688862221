from pathlib import Path

import click

from asr.files import file_name, write_stdout


@click.command()
@click.argument("manifest", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--units", "units_file", type=click.Path(path_type=Path), metavar="UNITS.TXT",
              help="What texts may consist of; by default letters, apostrophes and spaces.")
@click.option("--frame-shift", default=0.03, show_default=True, type=click.FloatRange(min=0.01),
              help="Seconds between two output frames of the network.")
@click.option("--normaliser", default="librispeech", show_default=True, metavar="NAME",
              help="Texts must be as it leaves them.")
@click.option("--headers-only", is_flag=True, help="Do not decode the audio: faster, but blind to "
              "files that are damaged or hold NaN.")
@click.option("--nonspeech", is_flag=True, help="An utterance without text is no fault: nothing is "
              "said in it, as for `asr train nonspeech=true`.")
@click.option("--json", "as_json", is_flag=True, help="Print the faults as a JSON list.")
@click.pass_context
def validate(ctx: click.Context, manifest: Path, units_file: Path | None, frame_shift: float,
             normaliser: str, headers_only: bool, nonspeech: bool, as_json: bool) -> None:
    """Find what is wrong with MANIFEST and its audio.

    Exit code 0: nothing; 1: faults were found; 2: MANIFEST is none.
    """
    from dataclasses import asdict
    from json import dumps

    from asr.prepare.validate import validate_manifest
    from asr.text.units import CharacterUnits

    units = CharacterUnits.load(units_file) if units_file else None
    faults = validate_manifest(manifest, units, frame_shift, normaliser, not headers_only,
                               nonspeech)
    if as_json:
        write_stdout(dumps([asdict(fault) for fault in faults], indent=2, ensure_ascii=False)
                     + "\n")
    else:
        write_stdout(f"{file_name(manifest)}:{fault.line}: {fault.id or '?'}: {fault.reason}\n"
                     for fault in faults)
    click.echo(f"{manifest}: {len(faults) or 'no'} fault{'s' * (len(faults) != 1)}", err=True)
    ctx.exit(1 if faults else 0)
