#!/bin/sh
# Train the packaged generator on a GPU that is lent for a few minutes at a time.
#
#   nbdrag/training/on_gpu.sh KEPT MINUTES [128 | 256]
#
# Trains until MINUTES are spent, all sittings together, and keeps the result in KEPT, a folder
# small enough to carry: compact weights, a sheet of portraits, the log. A second sitting finds
# the weights there and goes on from them with a larger MINUTES.
set -eu

kept=$1 minutes=$2 size=${3:-128}
case $size in
    128) stages=16:64:0.06,32:64:0.18,64:64:0.45,128:32:1 ;;
    256) stages=16:64:0.05,32:64:0.14,64:64:0.33,128:32:0.62,256:16:1 ;;
    *) echo "size is $size; expected 128 or 256" >&2; exit 2 ;;
esac
out=$(mktemp -d)
mkdir -p "$kept"

start=
if [ -f "$kept/compact.safetensors" ]; then
    start="--start-from $kept/compact.safetensors"
fi

# shellcheck disable=SC2086 # $start is two words, or none
python -m nbdrag.training.gan train --out "$out" --minutes "$minutes" $start \
    --device cuda --threads 4 --checkpoint-minutes 1 \
    --stages "$stages" --set ema_pictures=20000 \
    --set "generator={\"resolution\": $size, \"channel_base\": $((16 * size))}"

python -m nbdrag.training.gan compact "$out" "$kept/compact.safetensors"
cp "$out/sheet.png" "$out/options.json" "$kept/"
cat "$out/log.jsonl" >> "$kept/log.jsonl"
