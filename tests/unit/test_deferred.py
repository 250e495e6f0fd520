"""What is made when first used: once, whoever asks first, and then as quick as any other."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from emulator.mechanisms.deferred import Deferred, LateExpression, LateTemplate
from emulator.mechanisms.entropy import Entropy
from emulator.mechanisms.expressions import Scope

THREADS = 4


@pytest.fixture
def eager_switches() -> Iterator[None]:
    """Threads take turns as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("eager_switches")
@pytest.mark.parametrize(
    "late",
    [
        [LateTemplate({"a": ["${body.a}", "<${body.b}>"]}) for _ in range(300)],
        [LateExpression("size(body.b) == 1 ? body.a : 0") for _ in range(300)],
        [LateExpression("body.a") for _ in range(300)],
    ],
    ids=["template", "expression", "path"],
)
def test_several_threads_may_ask_at_once(late: list[LateTemplate | LateExpression]) -> None:
    start = Barrier(THREADS)

    def asked() -> list[object]:
        start.wait()
        return [one(Scope(Entropy(0), {"body": {"a": 1, "b": "x"}})) for one in late]

    with ThreadPoolExecutor(THREADS) as pool:
        first, *others = [future.result() for future in [pool.submit(asked) for _ in range(THREADS)]]
    assert first[0] in (1, {"a": [1, "<x>"]})
    assert [first[:1] * 300] * (THREADS - 1) == others


def test_what_is_made_looks_for_no_attribute_any_more() -> None:
    expression = LateExpression("body.a")
    assert isinstance(expression, Deferred)
    assert expression(Scope(Entropy(0), {"body": {"a": 1}})) == 1
    assert not isinstance(expression, Deferred)
    assert expression.made_of == "body.a"
    assert not hasattr(expression, "nothing")
