"""Hypothesis as the whole suite uses it: no deadlines, a slow machine is no failure. The cache is the suite's own."""

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


def pytest_configure(config: pytest.Config) -> None:
    kept = getattr(config, "cache", None)
    os.environ.setdefault("EMULATOR_CACHE", "" if kept is None else str(kept.mkdir("emulator")))
