"""What every client is asked, so that their answers can be compared."""

from typing import Any

from pydantic import BaseModel, Field

PATIENCE = 20.0
"""Seconds a client may wait for anything."""

QUESTION = "Why is the sky blue?"
MESSAGES = [{"role": "user", "content": QUESTION}]
ANSWER = "Blue light scatters most."

BEGINNING = "The sky is blue because"
TEXTS = ["Blue light scatters most.", "Red wine goes with cheese."]

WEATHER_QUESTION = [{"role": "user", "content": "What is the weather in Zurich?"}]
WEATHER = "Sunny, 21 degrees."
WEATHER_ANSWER = "It is sunny in Zurich."


def get_weather(city: str) -> str:
    """The weather in a city."""
    assert city == "Zurich"
    return WEATHER


GET_WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


class Trip(BaseModel):
    """A trip to a city."""

    city: str
    nights: int = Field(ge=1, le=14)


TRIP_SCHEMA: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {"name": "Trip", "schema": Trip.model_json_schema()},
}
