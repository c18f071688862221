#!/usr/bin/env bash
# LibriSpeech: train on 5, 100 or 960 hours of read books, measure on the development sets.
#
#     recipes/librispeech/run.sh --subset mini|clean-100|full --corpus DIR [--download yes]
#                                [--text FILE [--lstm FILE]] [--phones yes] [--processes N]
#                                [--stage NAME|N] [--stop-stage NAME|N] [--exp DIR] [key=value ...]
#
# DIR holds the subsets' folders (train-clean-5, dev-clean, …); --download yes fetches what is not
# there. Stages: prepare features lm lexicon train tune decode score. --stage train starts there,
# --stop-stage train ends there; both together run it alone. --text FILE is running text (plain, .gz
# or .xz; no book that the development sets read from) for a word 4-gram of 10 MB, whose weights are
# tuned on dev-clean; without it stages lm and tune do nothing.
# --lstm FILE is an LSTM language model (asr lm train) to rescore with.
# --phones yes makes a lexicon, whose phones the network learns instead of characters.
# --processes N trains with N GPUs or processes under torchrun. key=value changes a setting of
# conf/train-SUBSET.yaml. Results go to exp/librispeech/SUBSET unless --exp says otherwise.
source "$(dirname "$0")/../lib.sh"

STAGES=(prepare features lm lexicon train tune decode score)
OPTIONS="exp corpus subset download text lstm phones processes"
corpus=
subset=mini
download=no
text=
lstm=
phones=no
processes=1

stage_prepare() {
    local part options=()
    [ -n "$corpus" ] || die "--corpus DIR is missing: the folder that holds or will hold LibriSpeech"
    [ "$download" != yes ] || options+=(--download)
    for part in "${training_sets[@]}" "${development_sets[@]}"; do
        options+=(--subset "$part")
    done
    asr prepare librispeech "$corpus" "$exp/data" "${options[@]}"
    (cd "$exp/data" && cat "${training_sets[@]/%/.jsonl}") > "$exp/data/train.jsonl.partial"
    mv "$exp/data/train.jsonl.partial" "$exp/data/train.jsonl"
}

stage_features() {
    local part
    features_of train --speeds 0.9,1.0,1.1
    for part in "${development_sets[@]}"; do
        features_of "$part"
    done
}

stage_lm() {
    if [ -z "$text" ]; then
        log "no --text FILE, so no language model"
        return
    fi
    build_lm "$text"
}

stage_lexicon() {
    if [ "$phones" != yes ]; then
        log "no --phones yes, so no lexicon"
        return
    fi
    make_lexicon
}

stage_train() {
    local launch=(asr) units=()
    need features "$exp/features/train" "$exp/features/dev-clean"
    [ "$processes" = 1 ] || launch=(torchrun --standalone --nproc-per-node "$processes" -m asr)
    if [ "$phones" = yes ]; then
        need lexicon "$exp/lexicon/lexicon.txt"
        units=(units.kind=phones units.lexicon="$(yaml "$exp/lexicon/lexicon.txt")" unfit=drop)
    fi
    "${launch[@]}" train "$exp/model" --train "$exp/features/train" \
        --dev "$exp/features/dev-clean" --config "$recipe/conf/train-$subset.yaml" --resume \
        ${units[@]+"${units[@]}"} ${overrides[@]+"${overrides[@]}"}
}

stage_tune() {
    if [ -z "$text" ]; then
        log "no --text FILE, so nothing to tune"
        return
    fi
    need lm "$exp/lm/words.lm"
    tune_search dev-clean ${lstm:+--lstm "$lstm"}
}

stage_decode() {
    local part
    need train "$exp/model/bundle"
    for part in "${development_sets[@]}"; do
        need features "$exp/features/$part"
        decode_all "$part"
    done
}

stage_score() {
    local part
    for part in "${development_sets[@]}"; do
        need prepare "$exp/data/$part.jsonl"
        score_all "$part"
    done
    echo "Transcribe your own recording:"
    echo "  $root/.venv/bin/asr transcribe --model $exp/model/bundle FILE.wav"
}

parse_options "$@"
for option in download phones; do
    [[ ${!option} =~ ^(yes|no)$ ]] || die "--$option ${!option}: known are yes and no"
done
case $subset in
    mini) training_sets=(train-clean-5) development_sets=(dev-clean dev-clean-2) ;;
    clean-100) training_sets=(train-clean-100) development_sets=(dev-clean dev-other) ;;
    full)
        training_sets=(train-clean-100 train-clean-360 train-other-500)
        development_sets=(dev-clean dev-other)
        ;;
    *) die "--subset $subset: known are mini, clean-100 and full" ;;
esac
[ "$exp" != "$root/exp/librispeech" ] || exp=$root/exp/librispeech/$subset
run_stages
