from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

from checks import *


class Receipt(BaseModel):
    """A receipt."""

    total: float


def model(**options):
    return OpenAILike(
        model=MODEL, api_base=BASE_URL, api_key=KEY, is_chat_model=True, max_tokens=60, max_retries=0, **options
    )


messages = [ChatMessage(role="user", blocks=[TextBlock(text=QUESTION), ImageBlock(path=IMAGE)])]


@check("image")
def _():
    return model().chat(messages)


@check("stream")
def _():
    return "".join(chunk.delta or "" for chunk in model().stream_chat(messages))


@check("structured output, function calling")
def _():
    structured = model(is_function_calling_model=True).as_structured_llm(Receipt)
    return structured.chat(messages).raw


@check("structured output, response_format")
def _():
    structured = model(should_use_structured_outputs=True).as_structured_llm(Receipt)
    return structured.chat(messages).raw


finish()
