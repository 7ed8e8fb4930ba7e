from typing import Literal

from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from checks import *


class Receipt(BaseModel):
    """A receipt."""

    total: float


@tool
def weather(city: Literal["Oslo", "Lima"]) -> str:
    """Weather of a city."""
    return "cold"


model = ChatOpenAI(model=MODEL, base_url=BASE_URL, api_key=KEY, max_tokens=60, max_retries=0)
messages = [HumanMessage(content=IMAGE_MESSAGE["content"])]


@check("image")
def _():
    return model.invoke(messages).content


@check("stream")
def _():
    return "".join(chunk.content for chunk in model.stream(messages))


for method in ("json_schema", "function_calling", "json_mode"):

    @check(f"structured output, {method}")
    def _():
        return model.with_structured_output(Receipt if method != "json_mode" else None, method=method).invoke(messages)


@check("tools")
def _():
    return model.bind_tools([weather], tool_choice="weather").invoke("Oslo?").tool_calls


@check("tools without tool_choice")
def _():
    return model.bind_tools([weather]).invoke(messages).content


@check("responses")
def _():
    responses = ChatOpenAI(
        model=MODEL, base_url=BASE_URL, api_key=KEY, max_tokens=24, max_retries=0, use_responses_api=True
    )
    return responses.invoke(messages).text


@check("context overflow")
def _():
    return raises(ContextOverflowError, lambda: model.invoke(LONG_TEXT))


finish()
