#!/usr/bin/env bash
# Installs each client from its registry and runs its checks against a server: test/clients/run.sh BASE_URL [NAME...]
# BASE_URL is the address of `cogvlm2 serve`, such as http://127.0.0.1:8000/v1. Needs uv and Node; CI does not run this.
set -u
here=$(cd "$(dirname "$0")" && pwd)
base=${1:?the base URL of a server, with /v1}
shift
image=$here/../../examples/images/receipt.png
work=${CLIENTS_FOLDER:-$(mktemp -d)}
failed=0

# python_client NAME SCRIPT PACKAGE...
python_client() {
  local name=$1 script=$2
  shift 2
  wanted "$name" || return 0
  [ -d "$work/venv-$name" ] || { uv venv -q "$work/venv-$name" && uv pip install -q --python "$work/venv-$name" "$@"; } || return 1
  echo "== $name: $(uv pip freeze -q --python "$work/venv-$name" | grep -iE "^${1%%[*}==")"
  "$work/venv-$name/bin/python" "$here/$script" "$base" "$image" 2>"$work/$name.log" || failed=1
}

# node_client NAME SCRIPT PACKAGE...
node_client() {
  local name=$1 script=$2
  shift 2
  wanted "$name" || return 0
  mkdir -p "$work/node-$name"
  cp "$here/$script" "$here/checks.mjs" "$work/node-$name"
  [ -d "$work/node-$name/node_modules" ] || npm install --prefix "$work/node-$name" --no-audit --no-fund --silent "$@" || return 1
  echo "== $name: $*"
  node "$work/node-$name/$script" "$base" "$image" 2>"$work/$name.log" || failed=1
}

names=" $* "
wanted() { [ "$names" = "  " ] || [[ $names == *" $1 "* ]]; }

python_client openai openai_check.py openai
python_client langchain langchain_openai_check.py langchain-openai
python_client litellm litellm_check.py litellm
python_client instructor instructor_check.py instructor
python_client pydantic-ai pydantic_ai_check.py 'pydantic-ai-slim[openai]'
python_client llama-index llama_index_check.py llama-index-llms-openai-like
python_client haystack haystack_check.py haystack-ai
python_client smolagents smolagents_check.py 'smolagents[openai]' pillow
python_client openai-agents openai_agents_check.py openai-agents
python_client outlines outlines_check.py 'outlines[openai]' pillow
python_client llm llm_check.py llm
node_client openai-node openai_check.mjs openai@6.49.0
node_client ai-sdk ai_sdk_check.mjs ai@6.0.326 @ai-sdk/openai@3.0.141 @ai-sdk/openai-compatible@2.0.92 zod@4.6.7
exit $failed
