from typing import Literal

from PIL import Image
from smolagents import ChatMessage, OpenAIServerModel, tool

from checks import *

model = OpenAIServerModel(model_id=MODEL, api_base=BASE_URL, api_key=KEY, max_tokens=60)


@tool
def weather(city: Literal["Oslo", "Lima"]) -> str:
    """Weather of a city.

    Args:
        city: the name of the city
    """
    return "cold"


messages = [
    ChatMessage(
        role="user",
        content=[{"type": "text", "text": QUESTION}, {"type": "image", "image": Image.open(IMAGE)}],
    )
]


@check("image")
def _():
    return model.generate(messages).content


@check("stream")
def _():
    return "".join(delta.content or "" for delta in model.generate_stream(messages))


@check("required tool")
def _():
    return model.generate(messages, tools_to_call_from=[weather]).tool_calls


finish()
