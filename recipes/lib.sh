# What all recipes share: options, stages, log lines. A recipe sources this file, gives its options
# their defaults, defines a function stage_NAME for every name in STAGES, and ends with
#
#     parse_options "$@"
#     run_stages
#
# Works with bash 3.2 (macOS) and later.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
recipe=$(cd "$(dirname "$0")" && pwd)

OPTIONS="exp"               # names that the command line may set; a recipe adds its own
exp=$root/exp/$(basename "$recipe")
stage=1
stop_stage=
overrides=()                # key=value arguments, for `asr train`
given=                      # the command line without --stage, quoted for the shell

log() { printf '%s %s\n' "$(date '+%Y-%m-%d %H:%M:%S')" "$*" >&2; }

die() {
    printf '%s: error: %s\n' "$0" "$*" >&2
    exit 2
}

# The comment at the head of the recipe is its help.
usage() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"; }

# yaml TEXT: a text as YAML, in single quotes, in which only they are doubled.
yaml() {
    local quote="'"
    printf %s "'${1//$quote/$quote$quote}'"
}

# `--name value` (or --name=value) sets the variable `name`; a dash in the name becomes `_`.
parse_options() {
    local name known="stage stop_stage $OPTIONS"
    while [ $# -gt 0 ]; do
        case $1 in
            -h | --help) usage; exit 0 ;;
            --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}"; continue ;;
            --*)
                name=${1#--}
                name=${name//-/_}
                [[ " $known " = *" $name "* ]] \
                    || die "unknown option $1; known:$(printf ' --%s' ${known//_/-})"
                [[ -n ${2-} && $2 != --* ]] || die "$1 needs a value"
                printf -v "$name" %s "$2"
                [ "$name" = stage ] || given+=$(printf ' %q' "$1" "$2")
                shift 2
                ;;
            *=*) overrides+=("$1"); given+=$(printf ' %q' "$1"); shift ;;
            *) die "unexpected argument \`$1\`; options start with --, settings are key=value" ;;
        esac
    done
}

# need STAGE PATH...: leave with the name of the stage that makes a path which is missing.
need() {
    local maker=$1 path
    shift
    for path in "$@"; do
        [ -e "$path" ] || die "$path is missing: run stage $maker first; this goes on from there:" \
            "$(printf %q "$0")$given --stage $maker"
    done
}

# Position of a stage given by name or number, counted from 1.
stage_number() {
    local i
    for ((i = 1; i <= ${#STAGES[@]}; i++)); do
        if [ "$1" = "$i" ] || [ "$1" = "${STAGES[i - 1]}" ]; then
            echo "$i"
            return
        fi
    done
    die "no stage \`$1\`; stages are: ${STAGES[*]} (or 1 to ${#STAGES[@]})"
}

# Compute the features of a manifest in $exp/data; further arguments go to `asr features`.
features_of() {
    need prepare "$exp/data/$1.jsonl"
    asr features "$exp/data/$1.jsonl" "$exp/features/$1" --config "$recipe/conf/features.yaml" \
        "${@:2}"
}

# A word 4-gram of 10 MB, of running text (plain, .gz or .xz) and transcripts (.jsonl). Its words
# are those that occur twice, and of the others those that the dictionary has: few misprints, but
# names that other books may have, too.
build_lm() {
    local text=$exp/lm/sentences.txt.gz dictionary
    dictionary=$(python -c 'from asr.lexicon.dictionary import cmudict; print(cmudict())')
    asr lm text "$@" "$text"
    gunzip -c "$text" | awk 'NR == FNR { known[$1]; next }
                             { for (i = 1; i <= NF; i++) count[$i]++ }
                             END { for (word in count)
                                       if (count[word] > 1 || word in known) print word }' \
        "$dictionary" - > "$exp/lm/vocabulary.txt"
    asr lm build "$text" "$exp/lm/words.lm" --order 4 --vocabulary "$exp/lm/vocabulary.txt" \
        --cutoffs 0,0,1,2 --prune 1.2e-7 --quantise
}

# Pronunciations of the training texts' and, where there is one, the language model's words.
make_lexicon() {
    local sources=("$exp/data/train.jsonl")
    need prepare "${sources[@]}"
    [ ! -e "$exp/lm/words.lm" ] || sources+=("$exp/lm/words.lm")
    [ -e "$exp/lexicon/g2p.safetensors" ] || asr lexicon train "$exp/lexicon/g2p.safetensors" --resume
    asr lexicon make "${sources[@]}" "$exp/lexicon/lexicon.txt" --g2p "$exp/lexicon/g2p.safetensors"
}

# Tune the search of the trained model with the language model on a set of $exp/features; further
# arguments go to `asr tune decode`.
tune_search() {
    need features "$exp/features/$1"
    need train "$exp/model/bundle"
    asr tune decode "$exp/model/bundle" "$exp/features/$1" --lm "$exp/lm/words.lm" \
        --output "$exp/tune" "${@:2}"
}

# The searches that can be run on the trained model: with the language models that it has.
searches() {
    echo greedy beam
    [ ! -e "$exp/model/bundle/lm.lm" ] || echo lm
    [ ! -e "$exp/model/bundle/lstm.safetensors" ] || echo lstm
}

# Decode a set of $exp/features with the trained model, with every search.
decode_all() {
    local search options
    for search in $(searches); do
        case $search in
            beam) options=(--search beam --no-lm) ;;
            lm) options=(--search beam --set rescore_weight=0) ;;
            lstm) options=(--search beam) ;;
            *) options=(--search "$search") ;;
        esac
        asr decode "$exp/model/bundle" "$exp/features/$1" "$exp/decode/$1-$search.jsonl" \
            "${options[@]}"
    done
}

# Score what decode_all made against the manifest in $exp/data; print the tables of error rates.
score_all() {
    local search
    for search in $(searches); do
        need decode "$exp/decode/$1-$search.jsonl"
        echo "$1, $search search:"
        asr score "$exp/data/$1.jsonl" "$exp/decode/$1-$search.jsonl" \
            --output "$exp/score/$1-$search" | sed -n '1,/^$/p'
    done
    echo "Reports, with the worst utterances:"
    for search in $(searches); do
        echo "  $exp/score/$1-$search/report.txt"
    done
}

# Leave if a key=value of the command line is no setting of a training: before the first stage.
check_settings() {
    local fault
    [ ${#overrides[@]} -gt 0 ] || return 0
    fault=$(python - "${overrides[@]}" <<'EOF'
import sys

from asr.config import load_config
from asr.errors import AsrError
from asr.train.config import TrainConfig

try:
    load_config(TrainConfig, overrides=sys.argv[1:])
except AsrError as error:
    print(error)
EOF
    )
    [ -z "$fault" ] || die "$fault"
}

# Set up .venv, then run the stages from $stage to $stop_stage in order.
run_stages() {
    local first last i began total=$SECONDS
    first=$(stage_number "$stage")
    last=$(stage_number "${stop_stage:-${#STAGES[@]}}")
    ((first <= last)) || die "--stop-stage $stop_stage is before --stage $stage"
    trap 'log "interrupted; run the same command again to go on"; exit 130' INT
    "$root/tools/setup"
    PATH=$root/.venv/bin:$PATH
    check_settings
    for ((i = first; i <= last; i++)); do
        began=$SECONDS
        log "stage $i/${#STAGES[@]} ${STAGES[i - 1]}"
        "stage_${STAGES[i - 1]}"
        log "stage $i/${#STAGES[@]} ${STAGES[i - 1]} done in $((SECONDS - began)) s"
    done
    log "all done in $((SECONDS - total)) s"
}
