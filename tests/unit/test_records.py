"""Records are what frozen dataclasses are."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from emulator.mechanisms.records import record


@record
class Point:
    """A place."""

    x: int
    y: int
    """Upwards."""
    name: str = "here"

    @property
    def sum(self) -> int:
        return self.x + self.y


@record
class Spot:
    """With the same fields, and another thing."""

    x: int
    y: int
    name: str = "here"


def test_fields_by_place_name_and_default() -> None:
    point = Point(1, y=2)
    assert (point.x, point.y, point.name, point.sum) == (1, 2, "here", 3)
    assert Point(1, 2, "there").name == "there"
    assert repr(point) == "Point(x=1, y=2, name='here')"
    assert Point.__doc__ == "A place."


@pytest.mark.parametrize("given", [{"x": 1}, {"x": 1, "y": 2, "z": 3}])
def test_fields_that_are_missing_or_too_many(given: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        Point(**given)


def test_equal_by_value_and_class() -> None:
    assert Point(1, 2) == Point(1, 2)
    assert Point(1, 2) != Point(1, 3)
    other: object = Spot(1, 2)
    assert Point(1, 2) != other
    assert {Point(1, 2), Point(1, 2)} == {Point(1, 2)}


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])  # noqa: S301
def test_copied_and_pickled(again: Callable[[Any], Any]) -> None:
    point = Point(1, 2, "there")
    assert again(point) == point


@pytest.mark.parametrize("name", ["x", "name", "new"])
def test_nothing_of_it_can_be_changed(name: str) -> None:
    point = Point(1, 2)
    with pytest.raises(AttributeError, match=f"Point.{name} cannot be changed"):
        setattr(point, name, 1)
    with pytest.raises(AttributeError):
        delattr(point, name)
    assert not hasattr(point, "__dict__")
