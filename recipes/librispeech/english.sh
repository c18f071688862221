#!/usr/bin/env bash
# An English model of all free speech at hand, 20 hours of read books, everyday microphones, accented
# and older readers, in noise and rooms; phones as units, their pronunciations from Carnegie Mellon's
# dictionary, a word 4-gram of old novels and of the transcripts. The package's own comes from it,
# from when the training ended with its fourth leg.
#
#     recipes/librispeech/english.sh --data DIR [--stage NAME|N] [--stop-stage NAME|N] [--exp DIR]
#                                    [key=value ...]
#
# DIR holds LibriSpeech/ (train-clean-5, train-clean-100-part, dev-other-part, dev-clean,
# dev-clean-2 or its list of utterances),
# commonvoice/, speechocean762/, kathleen/ and ljspeech/ (LJSpeech's layout), an4/, noise/ and
# text/novels.txt.xz. Stages: prepare lm lexicon features train tune decode score export. A tenth of
# speechocean762's speakers, a twentieth of Common Voice's sentences and ten speakers of AN4 are held
# out. key=value changes a setting of conf/train-english.yaml. Results go to exp/english unless --exp
# says otherwise; the model is the folder `english` there.
source "$(dirname "$0")/../lib.sh"

STAGES=(prepare lm lexicon features train tune decode score export)
OPTIONS="exp data"
exp=$root/exp/english
data=
development_sets=(dev-clean dev-clean-2 commonvoice-dev speechocean762-dev an4-dev)

stage_prepare() {
    local set
    [ -n "$data" ] || die "--data DIR is missing: the folder that holds the corpora"
    for set in train-clean-5 train-clean-100-part dev-other-part dev-clean dev-clean-2; do
        asr prepare librispeech "$data/LibriSpeech" "$exp/data" --subset "$set"
    done
    asr prepare commonvoice "$data/commonvoice/validated.tsv" "$exp/data/commonvoice.jsonl"
    asr prepare split "$exp/data/commonvoice.jsonl" "$exp/data/commonvoice-train.jsonl" \
        "$exp/data/commonvoice-dev.jsonl" --by text --share 0.05
    asr prepare kaldi "$data/speechocean762/train" "$exp/data/speechocean762.jsonl"
    asr prepare split "$exp/data/speechocean762.jsonl" "$exp/data/speechocean762-train.jsonl" \
        "$exp/data/speechocean762-dev.jsonl" --by speaker --share 0.1
    for set in kathleen ljspeech; do
        asr prepare ljspeech "$data/$set" "$exp/data/$set.jsonl"
    done
    asr prepare an4 "$data/an4" "$exp/data/an4"
    mv "$exp/data/an4/dev.jsonl" "$exp/data/an4-dev.jsonl"
    asr prepare nonspeech "$data/noise" "$exp/data/nonspeech.jsonl"
    (cd "$exp/data" && cat train-clean-5.jsonl train-clean-100-part.jsonl dev-other-part.jsonl \
        commonvoice-train.jsonl speechocean762-train.jsonl kathleen.jsonl ljspeech.jsonl \
        an4/train.jsonl nonspeech.jsonl) > "$exp/data/train.jsonl.partial"
    mv "$exp/data/train.jsonl.partial" "$exp/data/train.jsonl"
}

stage_lm() {
    [ -n "$data" ] || die "--data DIR is missing: the folder that holds text/novels.txt.xz"
    need prepare "$exp/data/train.jsonl"
    build_lm "$data/text/novels.txt.xz" "$exp/data/train.jsonl"
}

stage_lexicon() {
    need lm "$exp/lm/words.lm"
    make_lexicon
}

stage_features() {
    local set
    [ -n "$data" ] || die "--data DIR is missing: the folder that holds noise/"
    printf '%s\nnoise: {probability: 0.35, folder: %s}\n' \
        "$(cat "$recipe/conf/augment-english.yaml")" "$(yaml "$(cd "$data/noise" && pwd)")" \
        > "$exp/augment.yaml"
    features_of train --augment "$exp/augment.yaml"
    for set in "${development_sets[@]}"; do
        features_of "$set"
    done
}

stage_train() {
    need features "$exp/features/train" "$exp/features/dev-clean"
    need lexicon "$exp/lexicon/lexicon.txt"
    local options=(--train "$exp/features/train" --dev "$exp/features/dev-clean"
                   --config "$recipe/conf/train-english.yaml" --resume)
    overrides=(units.lexicon="$(yaml "$exp/lexicon/lexicon.txt")" ${overrides[@]+"${overrides[@]}"})
    asr train "$exp/model-1" "${options[@]}" "${overrides[@]}"
    # From there once more, at a lower rate: after the first 11 epochs it still gains.
    asr train "$exp/model-2" "${options[@]}" --init "$exp/model-1/bundle" \
        epochs=12 learning_rate=1.2e-3 average.epochs=2 "${overrides[@]}"
    # More of the same only learns by heart; two views of each utterance, masked more, go on.
    options+=(consistency=0.2 model.dropout=0.2 spec_augment.time_masks_per_second=0.6
              spec_augment.time_share=0.2)
    asr train "$exp/model-3" "${options[@]}" --init "$exp/model-2/bundle" \
        epochs=8 learning_rate=8.0e-4 average.epochs=2 "${overrides[@]}"
    # A fourth layer and most of the epochs, seven minutes of an H100. The batches are a GPU's
    # (docs/training.md); two cores would take some 13 minutes an epoch, eight hours.
    options+=(model.layers=4 spec_augment.frequency_width=0.25)
    asr train "$exp/model-4" "${options[@]}" --init "$exp/model-3/bundle" \
        epochs=37 batch_seconds=960 schedule.warmup=1 average.epochs=3 "${overrides[@]}"
    # What a language model will add in the search is in the loss now: some 40 minutes of two cores,
    # then twice 75 with two views again.
    options+=(crf=0.9 epochs=6 batch_seconds=200 learning_rate=6.0e-4 schedule.warmup=0.3
              average.epochs=2)
    asr train "$exp/model-5" "${options[@]}" --init "$exp/model-4/bundle" consistency=0 \
        "${overrides[@]}"
    asr train "$exp/model-6" "${options[@]}" --init "$exp/model-5/bundle" "${overrides[@]}"
    asr train "$exp/model" "${options[@]}" --init "$exp/model-6/bundle" seed=1 "${overrides[@]}"
}

stage_tune() {
    need lm "$exp/lm/words.lm"
    tune_search dev-clean --trials 30 --utterances 0
}

stage_decode() {
    local set
    need train "$exp/model/bundle"
    for set in "${development_sets[@]}"; do
        need features "$exp/features/$set"
        decode_all "$set"
    done
}

stage_score() {
    local set
    for set in "${development_sets[@]}"; do
        need prepare "$exp/data/$set.jsonl"
        score_all "$set"
    done
}

stage_export() {
    need tune "$exp/model/bundle/lm.lm"
    asr export "$exp/model/bundle" "$exp/english" --weights int8 \
        --card "$recipe/conf/english-card.md"
}

parse_options "$@"
run_stages
