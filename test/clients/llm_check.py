"""The program llm by simonw. extra-openai-models.yaml in its user folder has the model."""

import json
import os
import subprocess
import tempfile

from checks import *

folder = tempfile.mkdtemp()
with open(f"{folder}/extra-openai-models.yaml", "w") as file:
    file.write(
        f"- model_id: cogvlm2\n  model_name: {MODEL}\n  api_base: {BASE_URL}\n  vision: true\n"
        "  supports_schema: true\n  supports_tools: true\n"
    )
env = {**os.environ, "LLM_USER_PATH": folder, "OPENAI_API_KEY": KEY}
program = os.path.join(os.path.dirname(sys.executable), "llm")


def llm(*arguments):
    run = subprocess.run([program, "-m", "cogvlm2", *arguments], env=env, capture_output=True, text=True)
    if run.returncode != 0:
        raise RuntimeError(run.stderr)
    return run.stdout.strip()


@check("image, stream")
def _():
    return llm(QUESTION, "-a", IMAGE, "-o", "max_tokens", "24")


@check("image")
def _():
    return llm(QUESTION, "-a", IMAGE, "-o", "max_tokens", "24", "--no-stream")


@check("structured output")
def _():
    return json.loads(llm(QUESTION, "-a", IMAGE, "--schema", "total float", "-o", "max_tokens", "60"))


@check("tools without tool_choice")
def _():
    return llm(QUESTION, "-a", IMAGE, "-T", "llm_version", "-o", "max_tokens", "24")


finish()
