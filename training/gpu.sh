#!/usr/bin/env bash
# Trains on a borrowed GPU machine without a network, in two steps. Not run on a GPU so far.
#   bash gpu.sh pack              here: faces and words into training/packed (about 30 MB, ignored by git)
#   bash gpu.sh train OUT [MIN]   there: draws on all cores, trains for MIN minutes (12), writes OUT/part-* of under 16 MiB
#   bash gpu.sh join FOLDER RUN   here again: the parts become RUN/last.pt, for train.py and export.py
set -eu
cd "$(dirname "$0")"
case "${1:-}" in
pack) python3 pack.py packed ;;
train)
  out=${2:?folder for the parts}
  export DEMO_FONTS=$PWD/packed
  run=$(mktemp -d)
  python3 train_gpu.py "$run" --minutes "${3:-12}" --from "${DEMO_FROM:-../models/demo}"
  cp "$run/log.jsonl" "$out/"
  split -b 15m "$run/last.pt" "$out/part-"
  ;;
join)
  mkdir -p "$3"
  cat "$2"/part-* > "$3/last.pt"
  ;;
*) sed -n '2,5p' "$0" && exit 2 ;;
esac
