#!/bin/sh
# Asks a running server about a picture: examples/server/ask.sh PICTURE QUESTION
# COGVLM2_URL and COGVLM2_API_KEY say where, and with which key.
set -eu
picture=${1:-examples/images/receipt.png}
question=${2:-What is the total?}
[ -r "$picture" ] || { echo "There is no picture to read at $picture." >&2; exit 2; }

# The picture is larger than an argument may be, so the body comes from standard input.
node -e '
  const [file, text] = process.argv.slice(1);
  const url = `data:image/${/\.jpe?g$/i.test(file) ? "jpeg" : file.split(".").pop()};base64,` +
    require("node:fs").readFileSync(file).toString("base64");
  const content = [{ type: "text", text }, { type: "image_url", image_url: { url } }];
  process.stdout.write(JSON.stringify({ max_tokens: 200, messages: [{ role: "user", content }] }));
' "$picture" "$question" |
  curl --silent --show-error --fail-with-body "${COGVLM2_URL:-http://127.0.0.1:8000}/v1/chat/completions" \
    -H 'content-type: application/json' \
    -H "authorization: Bearer ${COGVLM2_API_KEY:-none}" \
    --data-binary @-
echo
