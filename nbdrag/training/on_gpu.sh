#!/bin/sh
# Train the packaged generator on a GPU that is lent for a few minutes at a time.
#
#   nbdrag/training/on_gpu.sh KEPT MINUTES
#
# Trains until MINUTES are spent, all sittings together, and keeps the result in KEPT, a folder
# small enough to carry: compact weights, a sheet of portraits, the log. A second sitting finds
# the weights there and goes on from them with a larger MINUTES.
set -eu

kept=$1 minutes=$2
out=$(mktemp -d)
mkdir -p "$kept"

start=
if [ -f "$kept/compact.safetensors" ]; then
    start="--start-from $kept/compact.safetensors"
fi

# shellcheck disable=SC2086 # $start is two words, or none
python -m nbdrag.training.gan train --out "$out" --minutes "$minutes" $start \
    --device cuda --threads 4 --checkpoint-minutes 1 \
    --stages 16:64:0.06,32:64:0.18,64:64:0.45,128:32:1 --set ema_pictures=20000

python -m nbdrag.training.gan compact "$out" "$kept/compact.safetensors"
cp "$out/sheet.png" "$out/options.json" "$kept/"
cat "$out/log.jsonl" >> "$kept/log.jsonl"
