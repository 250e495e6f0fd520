"""What failed has not happened: an account is as it was, and what was due is still to come."""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from heapq import heappush
from typing import Any

from emulator.mechanisms.expressions import ExpressionError


@contextmanager
def all_or_none(account: dict[str, Any]) -> Iterator[None]:
    """Whatever raises within leaves the account's data as they were. The cost grows with all that it owns."""
    kept = pickle.dumps(account, pickle.HIGHEST_PROTOCOL)  # the quickest copy, and seldom read
    try:
        yield
    except BaseException:
        account.clear()
        account.update(pickle.loads(kept))  # noqa: S301 - our own bytes
        raise


@contextmanager
def due_again(account: dict[str, Any], timer: list[Any]) -> Iterator[None]:
    """What an expression kept from happening is due as before, so that whoever looks next is told, too."""
    try:
        yield
    except ExpressionError:
        if timer not in account["timers"]:
            heappush(account["timers"], timer)
        raise
