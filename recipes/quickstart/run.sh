#!/usr/bin/env bash
# From nothing to a word error rate in one command: makes a small corpus of synthetic speech, trains
# a recogniser on it, and scores it on voices and sentences that it never heard.
#
#     recipes/quickstart/run.sh [--stage NAME|N] [--stop-stage NAME|N] [--exp DIR] [--seed N]
#                               [key=value ...]
#
# Stages: prepare features train decode score. --stage train starts there, --stop-stage train ends
# there; both together run it alone. key=value changes a setting of conf/train.yaml. Results go to
# exp/quickstart unless --exp says otherwise.
source "$(dirname "$0")/../lib.sh"

STAGES=(prepare features train decode score)
OPTIONS="exp seed"
seed=0

stage_prepare() {
    asr prepare synthetic "$exp/data" --seed "$seed"
}

stage_features() {
    features_of train --speeds 0.9,1.0,1.1
    features_of dev
    features_of test
}

stage_train() {
    need features "$exp/features/"{train,dev}
    asr train "$exp/model" --train "$exp/features/train" --dev "$exp/features/dev" \
        --config "$recipe/conf/train.yaml" --resume "seed=$seed" ${overrides[@]+"${overrides[@]}"}
}

stage_decode() {
    need features "$exp/features/test"
    need train "$exp/model/bundle"
    decode_all test
}

stage_score() {
    need prepare "$exp/data/test.jsonl"
    score_all test
    echo "Transcribe your own recording (a model of synthetic speech will understand little of it):"
    echo "  $root/.venv/bin/asr transcribe --model $exp/model/bundle FILE.wav"
}

parse_options "$@"
run_stages
