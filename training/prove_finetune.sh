#!/usr/bin/env bash
# Teaches the demo model the layout of loyalty cards from 60 images, and scores it before and after: on 40 cards that it did not
# see, and on questions of its own benchmark. 240 images of kinds that it knows are in the data too, so that it keeps reading
# them. From the project's root:
#
#     bash training/prove_finetune.sh FOLDER [QUESTIONS]
#
# QUESTIONS is how many of the 1,200 questions of bench/demo are asked (all). Needs training/requirements.txt,
# requirements-finetune.txt and the fonts of training/fonts.sh.
set -euo pipefail
run=$1 questions=${2:-1200} model=models/demo
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}
cli() { npx tsx src/cli/main.ts "$@"; }
elsewhere() { cli eval run demo -m $model --limit "$questions" --seed 1 -q "$@"; }

python training/cards.py "$run/train" --count 60
python training/draw.py "$run/train" --count 240 --first 90000000 --questions 5
python training/cards.py "$run/heldout" --count 40 --first 1000
echo 'before, cards:' && npx tsx training/score.ts $model "$run/heldout"
echo 'before, benchmark:' && elsewhere --output "$run/before.jsonl"
time python training/finetune.py $model "$run/train/questions.jsonl" "$run/adapter" --rank 4 --alpha 8 --dropout 0 --rate 1e-3 --batch 4 \
  --epochs 2 --precision bf16 --targets 'model\.layers\..*_(query_key_value|dense|proj)'
echo 'after, cards:' && npx tsx training/score.ts $model "$run/heldout" --adapter "$run/adapter"
echo 'after, benchmark:' && elsewhere --output "$run/after.jsonl" --adapter "$run/adapter"
ls -l "$run/adapter"
cli ask "$run/heldout/1000.png" 'Whose card is it?' -q --adapter "$run/adapter"
