from typing import Literal

from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

from checks import *


class Receipt(BaseModel):
    total: float


provider = OpenAIProvider(base_url=BASE_URL, api_key=KEY)
with open(IMAGE, "rb") as file:
    prompt = [QUESTION, BinaryContent(file.read(), media_type="image/png")]
settings = {"max_tokens": 60}

for name, model in (
    ("chat", OpenAIChatModel(MODEL, provider=provider)),
    ("responses", OpenAIResponsesModel(MODEL, provider=provider)),
):

    @check(f"{name}, image")
    def _():
        return Agent(model, model_settings=settings).run_sync(prompt).output

    @check(f"{name}, stream")
    def _():
        result = Agent(model, model_settings=settings).run_stream_sync(prompt)
        return "".join(result.stream_text(delta=True))

    @check(f"{name}, structured output, default mode")
    def _():
        return Agent(model, output_type=Receipt, model_settings=settings).run_sync(prompt).output

    @check(f"{name}, structured output, NativeOutput")
    def _():
        return Agent(model, output_type=NativeOutput(Receipt), model_settings=settings).run_sync(prompt).output

    @check(f"{name}, tools without tool_choice")
    def _():
        agent = Agent(model, model_settings=settings)

        @agent.tool_plain
        def weather(city: Literal["Oslo", "Lima"]) -> str:
            """Weather of a city."""
            return "cold"

        return agent.run_sync(prompt).output


finish()
