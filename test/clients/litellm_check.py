import litellm

from checks import *

litellm.suppress_debug_info = True


def complete(**fields):
    return litellm.completion(model=f"openai/{MODEL}", api_base=BASE_URL, api_key=KEY, max_retries=0, **fields)


@check("image")
def _():
    return complete(messages=[IMAGE_MESSAGE], max_tokens=24).choices[0].message.content


@check("stream")
def _():
    chunks = complete(messages=[IMAGE_MESSAGE], max_tokens=24, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


@check("structured output")
def _():
    schema = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}
    format = {"type": "json_schema", "json_schema": {"name": "receipt", "schema": schema}}
    return complete(messages=[IMAGE_MESSAGE], max_tokens=60, response_format=format).choices[0].message.content


@check("tools")
def _():
    tool = {"type": "function", "function": {"name": "pay", "parameters": {"type": "object", "properties": {}}}}
    answer = complete(messages=[IMAGE_MESSAGE], tools=[tool], tool_choice="required", max_tokens=60)
    return answer.choices[0].message.tool_calls


@check("responses")
def _():
    answer = litellm.responses(
        model=f"openai/{MODEL}", api_base=BASE_URL, api_key=KEY, input="Why?", max_output_tokens=8
    )
    return answer.output[0].content[0].text


@check("context overflow")
def _():
    messages = [{"role": "user", "content": LONG_TEXT}]
    return raises(litellm.ContextWindowExceededError, lambda: complete(messages=messages))


finish()
