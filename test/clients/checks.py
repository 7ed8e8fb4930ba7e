"""Shared code of the client checks: the server, an image, and one printed line for each capability.

Usage of a check: python NAME.py BASE_URL IMAGE
"""

import base64
import sys

BASE_URL, IMAGE = sys.argv[1:3]
MODEL = "default"
KEY = "none"
QUESTION = "What is the total?"
with open(IMAGE, "rb") as file:
    DATA_URL = "data:image/png;base64," + base64.b64encode(file.read()).decode()
IMAGE_MESSAGE = {
    "role": "user",
    "content": [
        {"type": "text", "text": QUESTION},
        {"type": "image_url", "image_url": {"url": DATA_URL}},
    ],
}
LONG_TEXT = "word " * 3000

failures = 0


def check(name):
    """Runs the decorated function at once, and prints one line. The function returns the received data, or raises."""

    def run(function):
        global failures
        try:
            print(f"ok      {name}: {str(function())[:100]!r}", flush=True)
        except Exception as error:  # noqa: BLE001
            failures += 1
            print(f"FAILED  {name}: {type(error).__name__}: {str(error)[:300]!r}", flush=True)

    return run


def raises(expected, function):
    """Returns the expected exception. Anything else is a failure."""
    try:
        result = function()
    except expected as error:
        return type(error).__name__
    raise AssertionError(f"{expected} was not raised; got {result!r}")


def finish():
    sys.exit(1 if failures else 0)
