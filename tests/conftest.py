"""Hypothesis as the whole suite uses it: no deadlines, a slow machine is no failure."""

from hypothesis import HealthCheck, settings

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")
