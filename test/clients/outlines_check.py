from typing import Literal

import openai
import outlines
from outlines.inputs import Image
from PIL import Image as PillowImage
from pydantic import BaseModel

from checks import *


class Receipt(BaseModel):
    total: float


client = openai.OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)
image = PillowImage.open(IMAGE)
image.format = "PNG"
prompt = [QUESTION, Image(image)]

openai_model = outlines.from_openai(client, MODEL)
vllm_model = outlines.from_vllm(client, MODEL)
sglang_model = outlines.from_sglang(client, MODEL)


@check("image")
def _():
    return openai_model(prompt, max_tokens=24)


@check("stream")
def _():
    return "".join(openai_model.stream(prompt, max_tokens=24))


@check("structured output, as OpenAI")
def _():
    return Receipt.model_validate_json(openai_model(prompt, Receipt, max_tokens=60))


for name, model in (("vLLM", vllm_model), ("SGLang", sglang_model)):

    @check(f"structured output, as {name}")
    def _():
        return Receipt.model_validate_json(model(prompt, Receipt, max_tokens=60))

    @check(f"choice, as {name}")
    def _():
        return model(prompt, Literal["yes", "no"], max_tokens=8)

    @check(f"regex, as {name}")
    def _():
        return model(prompt, outlines.types.regex("[0-9]{2}"), max_tokens=8)


finish()
