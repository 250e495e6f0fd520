"""The official OpenAI client, on the tenant of the test."""

from collections.abc import Iterator

import pytest
from openai import OpenAI

from emulator import Emulation, Handle


@pytest.fixture
def generalcompute(emulator: Emulation) -> Handle:
    return emulator["generalcompute"]


@pytest.fixture
def client(generalcompute: Handle) -> Iterator[OpenAI]:
    """A client that gives up at once."""
    with OpenAI(base_url=generalcompute.base_url, api_key=generalcompute.api_key, max_retries=0) as made:
        yield made
