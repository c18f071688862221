#!/usr/bin/env bash
# CMU AN4: 48 minutes of people who spell names and say numbers and dates. The smallest real
# benchmark, and the fast check for every change.
#
#     recipes/an4/run.sh --corpus DIR [--init BUNDLE] [--stage NAME|N] [--stop-stage NAME|N]
#                        [--exp DIR] [key=value ...]
#
# DIR holds etc/ and wav/ of the an4 archive; the network learns the phones of etc/an4.dic. From
# random weights that takes 6 to 10 minutes of two cores; with --init asr/english it starts from the
# package's model, takes 4 to 5 and makes a third of the errors (README.md).
# Stages: prepare features train decode score. --stage train starts there, --stop-stage train ends
# there; both together run it alone. key=value changes a setting of conf/train.yaml, with --init of
# conf/train-init.yaml. Results go to exp/an4 unless --exp says otherwise.
source "$(dirname "$0")/../lib.sh"

STAGES=(prepare features train decode score)
OPTIONS="exp corpus init"
corpus=
init=

stage_prepare() {
    [ -n "$corpus" ] || die "--corpus DIR is missing: the folder that holds AN4's etc/ and wav/"
    [ -e "$corpus/etc/an4.dic" ] || die "$corpus/etc/an4.dic, the pronunciations, is not there"
    asr prepare an4 "$corpus" "$exp/data"
    # O and OH sound alike. With a phone of its own for OH the network tells them by what is around.
    sed 's/^OH .*/OH OH/' "$corpus/etc/an4.dic" > "$exp/data/lexicon.txt"
}

stage_features() {
    features_of train --speeds 0.8,0.9,1.0,1.1,1.2
    features_of dev
}

stage_train() {
    need features "$exp/features/"{train,dev}
    need prepare "$exp/data/lexicon.txt"
    local options=(--train "$exp/features/train" --dev "$exp/features/dev" --resume
                   units.kind=phones units.lexicon="$(yaml "$exp/data/lexicon.txt")")
    if [ -n "$init" ]; then
        options+=(--config "$recipe/conf/train-init.yaml" --init "$init")
    else
        options+=(--config "$recipe/conf/train.yaml")
    fi
    asr train "$exp/model" "${options[@]}" ${overrides[@]+"${overrides[@]}"}
}

stage_decode() {
    need features "$exp/features/dev"
    need train "$exp/model/bundle"
    decode_all dev
}

stage_score() {
    need prepare "$exp/data/dev.jsonl"
    score_all dev
    echo "Transcribe your own recording:"
    echo "  $root/.venv/bin/asr transcribe --model $exp/model/bundle FILE.wav"
}

parse_options "$@"
if [ -n "$init" ] && [ ! -e "$init/bundle.json" ]; then
    [ -e "$root/$init/bundle.json" ] || die "--init $init: no model bundle there (no bundle.json)"
    init=$root/$init
fi
run_stages
