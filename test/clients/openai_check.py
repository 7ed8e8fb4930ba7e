from openai import BadRequestError, OpenAI
from pydantic import BaseModel

from checks import *

client = OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)
create = client.chat.completions.create


class Receipt(BaseModel):
    total: float


@check("image")
def _():
    return create(model=MODEL, messages=[IMAGE_MESSAGE], max_tokens=24).choices[0].message.content


@check("stream")
def _():
    stream = create(model=MODEL, messages=[IMAGE_MESSAGE], max_tokens=24, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


@check("structured output")
def _():
    parsed = client.chat.completions.parse(
        model=MODEL, messages=[IMAGE_MESSAGE], response_format=Receipt, max_tokens=60
    )
    return parsed.choices[0].message.parsed


@check("tools")
def _():
    tool = {"type": "function", "function": {"name": "pay", "parameters": Receipt.model_json_schema()}}
    answer = create(
        model=MODEL,
        messages=[IMAGE_MESSAGE],
        tools=[tool],
        tool_choice={"type": "function", "function": {"name": "pay"}},
        max_tokens=60,
    )
    return Receipt.model_validate_json(answer.choices[0].message.tool_calls[0].function.arguments)


@check("responses")
def _():
    content = [
        {"type": "input_text", "text": QUESTION},
        {"type": "input_image", "image_url": DATA_URL, "detail": "auto"},
    ]
    request = {"model": MODEL, "input": [{"role": "user", "content": content}], "max_output_tokens": 24}
    whole = client.responses.create(**request).output_text
    with client.responses.stream(**request) as stream:
        final = stream.get_final_response().output_text
    assert whole == final, (whole, final)
    return final


@check("responses, structured output")
def _():
    return client.responses.parse(model=MODEL, input="?", text_format=Receipt, max_output_tokens=60).output_parsed


@check("context overflow")
def _():
    return raises(
        BadRequestError, lambda: create(model=MODEL, messages=[{"role": "user", "content": LONG_TEXT}])
    )


finish()
