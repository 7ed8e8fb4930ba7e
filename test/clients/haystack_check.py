from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage, ImageContent
from haystack.utils import Secret
from pydantic import BaseModel

from checks import *


class Receipt(BaseModel):
    total: float


def generator(**options):
    return OpenAIChatGenerator(
        api_key=Secret.from_token(KEY), model=MODEL, api_base_url=BASE_URL, max_retries=0, **options
    )


messages = [ChatMessage.from_user(content_parts=[QUESTION, ImageContent.from_file_path(IMAGE)])]


@check("image")
def _():
    return generator(generation_kwargs={"max_tokens": 24}).run(messages)["replies"][0].text


@check("stream")
def _():
    pieces = []
    callback = lambda chunk: pieces.append(chunk.content)  # noqa: E731
    generator(generation_kwargs={"max_tokens": 24}, streaming_callback=callback).run(messages)
    return "".join(pieces)


@check("structured output")
def _():
    kwargs = {"max_tokens": 60, "response_format": Receipt}
    return Receipt.model_validate_json(generator(generation_kwargs=kwargs).run(messages)["replies"][0].text)


@check("responses")
def _():
    from haystack.components.generators.chat import OpenAIResponsesChatGenerator

    responses = OpenAIResponsesChatGenerator(
        api_key=Secret.from_token(KEY),
        model=MODEL,
        api_base_url=BASE_URL,
        max_retries=0,
        generation_kwargs={"max_output_tokens": 24},
    )
    return responses.run(messages)["replies"][0].text


finish()
