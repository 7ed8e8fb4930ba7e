#!/usr/bin/env bash
# Measures the table of docs/gpu.md on a machine with an NVIDIA GPU. Run it from the project's root after npm ci, with the
# packages @node-llama-cpp/linux-x64-cuda and @node-llama-cpp/linux-x64-vulkan installed. It needs no network and takes
# about ten minutes. Not yet run on a GPU.
#
#   OUT=results bash bench/gpu.sh
#
# PEER is a folder with node_modules/node-llama-cpp (see bench/peer/README.md). Without it, llama.cpp is not measured.
set -uo pipefail
OUT="${OUT:-gpu-results}"
mkdir -p "$OUT"
MODEL="${MODEL:-$OUT/random-19B.gguf}"
failed=0

# step NAME COMMAND…: runs a command with its own log, and continues if it fails.
step() {
  local name="$1"
  shift
  echo "== $name"
  local started=$SECONDS
  if "$@" >"$OUT/$name.log" 2>&1; then
    echo "   ok, $((SECONDS - started)) s"
  else
    echo "   FAILED with status $?, see $OUT/$name.log"
    failed=$((failed + 1))
  fi
}

cogvlm2() { node dist/cli/main.js "$@"; }

nvidia-smi >"$OUT/nvidia-smi.log" 2>&1 || echo "nvidia-smi did not run: is there an NVIDIA GPU?"
[ -f "$MODEL" ] || step random-checkpoint npx tsx bench/random-checkpoint.ts "$MODEL" --type int4

for library in cuda vulkan; do
  folder="$(node -p "require('node:path').join(require('node:path').dirname(require.resolve('@node-llama-cpp/linux-x64-$library')), '..', 'bins', 'linux-x64-$library')" 2>/dev/null)" || {
    echo "== $library: the package is not installed"
    continue
  }
  export COGVLM2_GGML_DIR="$folder"
  step "$library-doctor" cogvlm2 doctor
  step "$library-goldens" npx vitest run test/model/gpu.test.ts --testTimeout 300000
  step "$library-demo" cogvlm2 ask --device gpu --json examples/images/receipt.png "What is the total?"
  step "$library-demo-benchmark" cogvlm2 eval run demo bench/demo/demo.tsv --device gpu --output "$OUT/$library-demo.jsonl"
  step "$library-19B-plan" cogvlm2 plan "$MODEL" --device gpu
  step "$library-19B-bench" cogvlm2 bench "$MODEL" --device gpu --seconds 5 --json
  step "$library-19B-ask" cogvlm2 ask --device gpu --json --no-image-cache --max-tokens 64 --model "$MODEL" \
    examples/images/receipt.png "What is the total?"
  if [ -n "${PEER:-}" ]; then
    [ -d "$OUT/peer" ] || step peer-models npx tsx bench/peer/write-models.ts "$OUT/peer" 8 q4_k
    step "$library-llama.cpp" npx tsx bench/peer/compare.ts "$OUT/peer" "$PEER/node_modules/node-llama-cpp" 2 2 "$library"
  fi
done

echo "$failed steps failed. Logs are in $OUT."
exit "$((failed > 0))"
