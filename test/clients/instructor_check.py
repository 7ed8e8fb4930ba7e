import instructor
from openai import OpenAI
from pydantic import BaseModel

from checks import *


class Receipt(BaseModel):
    total: float


@check("structured output, default mode")
def _():
    client = instructor.from_openai(OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0))
    return client.chat.completions.create(
        model=MODEL, messages=[IMAGE_MESSAGE], response_model=Receipt, max_tokens=60, max_retries=1
    )


@check("structured output, JSON_SCHEMA")
def _():
    client = instructor.from_openai(
        OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0), mode=instructor.Mode.JSON_SCHEMA
    )
    return client.chat.completions.create(
        model=MODEL, messages=[IMAGE_MESSAGE], response_model=Receipt, max_tokens=60, max_retries=1
    )


finish()
