import asyncio
from typing import Literal

from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI
from pydantic import BaseModel

from checks import *

set_tracing_disabled(True)


def model(kind):
    # A client belongs to one event loop.
    return kind(MODEL, AsyncOpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0))


content = [
    {"type": "input_text", "text": QUESTION},
    {"type": "input_image", "image_url": DATA_URL, "detail": "auto"},
]
question = [{"role": "user", "content": content}]


class Receipt(BaseModel):
    total: float


@function_tool
def weather(city: Literal["Oslo", "Lima"]) -> str:
    """Weather of a city."""
    return "cold"


def agent(model, tool_choice=None, **options):
    settings = ModelSettings(max_tokens=60, tool_choice=tool_choice)
    return Agent(name="reader", model=model, model_settings=settings, **options)


for name, kind in (("responses", OpenAIResponsesModel), ("chat", OpenAIChatCompletionsModel)):

    @check(f"{name}, image")
    def _():
        return Runner.run_sync(agent(model(kind)), question).final_output

    @check(f"{name}, stream")
    def _():
        async def run():
            result = Runner.run_streamed(agent(model(kind)), question)
            async for _event in result.stream_events():
                pass
            return result.final_output

        return asyncio.run(run())

    @check(f"{name}, structured output")
    def _():
        return Runner.run_sync(agent(model(kind), output_type=Receipt), question).final_output

    @check(f"{name}, required tool, then an answer")
    def _():
        return Runner.run_sync(agent(model(kind), tool_choice="required", tools=[weather]), "Oslo?").final_output


finish()
