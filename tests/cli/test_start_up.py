"""What `emulator serve` loads before it answers, counted in modules."""

import pytest

from .conftest import Serve

LATE = {"schemathesis", "hypothesis", "pytest", "rich", "faker", "httpx", "requests", "aiohttp", "rstr", "sqlalchemy"}
"""What a few commands, faults and clients need, and most servers never."""


def test_serving_imports_nothing_that_it_may_never_need(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    served = serve("--pace", "0")
    assert served.chat().status_code == 200
    assert served.chat(stream=True).status_code == 200
    served.stop()
    lines = served.errors.read_text().splitlines()
    modules = {line.rsplit("|", 1)[1].strip() for line in lines if line.startswith("import time:")}
    assert "emulator.pipeline" in modules
    assert {name.split(".")[0] for name in modules} & LATE == set()
