#!/usr/bin/env bash
# Builds the kernels with GCC's AddressSanitizer and UndefinedBehaviorSanitizer and runs their tests (Linux x64).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out="$(mktemp -d)"
trap 'rm -rf "$out"' EXIT
flags="-O1 -g -std=gnu11 -fPIC -fsanitize=address,undefined -fno-sanitize-recover=undefined -Wno-unknown-pragmas"
declare -A sets=(
  [avx2]="-march=haswell" [avxvnni]="-march=haswell -mavxvnni" [avx512]="-march=cascadelake"
  [avx512bf16]="-march=cooperlake" [amx]="-march=sapphirerapids"
)
for variant in "${!sets[@]}"; do
  for source in src/kernels/c/*.c; do
    name="$(basename "$source" .c)"
    [ "$name" = cpu ] && continue
    gcc $flags ${sets[$variant]} -DVARIANT="$variant" -c "$source" -o "$out/$name-$variant.o"
  done
done
gcc $flags -c src/kernels/c/cpu.c -o "$out/cpu.o"
gcc -shared -fsanitize=address,undefined -o "$out/linux-x64.so" "$out"/*.o
# Node's own memory is not checked for leaks: it is not freed at exit. The sanitizer handles SIGBUS itself, so that test is left out.
LD_PRELOAD="$(gcc -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0:intercept_tls_get_addr=0 \
  COGVLM2_KERNELS_DIR="$out" node node_modules/vitest/vitest.mjs run --exclude test/kernels/bus-error.test.ts "${@:-test/kernels}"
