"""What a test can ask of the emulator: the one implementation behind handles and the control API.

Every function takes the runtime, holds its lock, and raises CommandError with the way out.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from emulator.exchange import Runtime
from emulator.mechanisms import journal as journals
from emulator.mechanisms import scenarios
from emulator.mechanisms.clock import Clock
from emulator.mechanisms.store import Tenant
from emulator.provider import Provider, ProviderFamily


class CommandError(ValueError):
    """What was asked cannot be done. The text says why and what can."""


@contextmanager
def _open(runtime: Runtime, tenant_name: str) -> Iterator[Tenant]:
    with runtime.store.lock:
        tenant = runtime.store.tenant(tenant_name)
        yield tenant
        runtime.store.commit(tenant)


def family(runtime: Runtime, provider_id: str) -> ProviderFamily:
    if provider_id not in runtime.providers:
        raise CommandError(f"no provider is called {provider_id!r}; there are {', '.join(runtime.providers)}")
    return runtime.providers[provider_id]


def provider(runtime: Runtime, tenant: Tenant, provider_id: str) -> Provider:
    """The provider with the variants this tenant uses."""
    family(runtime, provider_id)
    return runtime.provider(tenant, provider_id)


def fail(runtime: Runtime, tenant_name: str, provider_id: str, step: dict[str, Any]) -> None:
    """Make the next matching requests fail: a step with `refuse` or `fault`, `times`, `operation`, `when`."""
    if not step.get("refuse") and not step.get("fault"):
        raise CommandError("say what shall fail: `refuse` (a refusal) or `fault`")
    play(runtime, tenant_name, provider_id, [{"times": 1, **step}])


def play(runtime: Runtime, tenant_name: str, provider_id: str, scenario: str | list[dict[str, Any]]) -> None:
    """Play a scenario of the provider by name, or the given steps, after what is already queued."""
    with _open(runtime, tenant_name) as tenant:
        found = provider(runtime, tenant, provider_id)
        plays = tenant.cell("plays", provider_id, list)
        if isinstance(scenario, str):
            known_scenario(found, scenario)
            scenarios.start(plays, scenario, "control")
            return
        steps = json.dumps(scenario)
        try:
            compiled = found.compile_steps("steps", steps)
        except ValueError as error:
            raise CommandError(str(error)) from None
        for step in compiled.steps:
            if step.refuse is not None and step.refuse not in found.errors:
                known = ", ".join(found.errors)
                raise CommandError(f"{provider_id} has no reply for {step.refuse}; it has {known}")
            if step.operation is not None and step.operation not in found.operations:
                known = ", ".join(found.operations)
                raise CommandError(f"{provider_id} has no operation {step.operation!r}; there are {known}")
        scenarios.start(plays, _title(compiled), "control", steps)


def _title(scenario: scenarios.Scenario) -> str:
    return ", ".join(
        step.refuse or (step.fault.op if step.fault else "reply" if step.script else "as usual")
        for step in scenario.steps
    )


def with_variants(runtime: Runtime, provider_id: str, names: Sequence[str]) -> Provider:
    """The provider with the named overlays. Raises CommandError for a name that does not exist."""
    found = family(runtime, provider_id)
    try:
        return found.with_variants(tuple(names))
    except KeyError as error:
        known = ", ".join(found.base.variants) or "none"
        raise CommandError(f"{provider_id} has no variant {error.args[0]!r}; there are: {known}") from None


def known_scenario(found: Provider, name: str) -> None:
    """Raises CommandError unless the provider has the scenario."""
    if name not in found.scenarios:
        known = ", ".join(found.scenarios) or "none"
        raise CommandError(f"{found.id} has no scenario {name!r}; there are: {known}")


def use(runtime: Runtime, tenant_name: str, provider_id: str, variants: Sequence[str]) -> None:
    """Serve this tenant with the given variants of a provider instead of those it had."""
    with _open(runtime, tenant_name) as tenant:
        with_variants(runtime, provider_id, variants)
        tenant.cell("variants", provider_id, dict)["names"] = list(variants)


def reset(
    runtime: Runtime, tenant_name: str, provider_id: str | None = None, kinds: Sequence[str] | None = None
) -> None:
    """Forget a tenant's state: all of it, one provider's, or only some kinds (`windows`, `accounts`, …)."""
    with _open(runtime, tenant_name) as tenant:
        if provider_id is None:
            tenant.clear(set(kinds) if kinds is not None else None)
            return
        family(runtime, provider_id)
        for kind, key in list(tenant.cells):
            if (kinds is None or kind in kinds) and key.split(":", 1)[0] == provider_id:
                tenant.forget(kind, key)
        if kinds is None or "journal" in kinds:
            for entry in journals.entries(tenant):
                if entry["provider"] == provider_id:
                    tenant.forget("journal", str(entry["number"]))


def journal(runtime: Runtime, tenant_name: str, provider_id: str | None = None) -> list[dict[str, Any]]:
    """The tenant's journal, oldest first, of one provider or all."""
    with runtime.store.lock:
        found = journals.entries(runtime.store.tenant(tenant_name))
        return [dict(entry) for entry in found if provider_id in (None, entry["provider"])]


@contextmanager
def clock(runtime: Runtime, tenant_name: str) -> Iterator[Clock]:
    """The tenant's clock. Raises CommandError for a time or duration that is none."""
    with _open(runtime, tenant_name) as tenant:
        try:
            yield Clock(tenant.cell("clock", "", dict))
        except (ValueError, TypeError) as error:
            raise CommandError(str(error)) from None


def unfinished(runtime: Runtime, tenant_name: str) -> list[str]:
    """What was asked to happen and did not, one line each."""
    lines = []
    with runtime.store.lock:
        tenant = runtime.store.tenant(tenant_name)
        for kind, provider_id in list(tenant.cells):
            if kind != "plays":
                continue
            found = provider(runtime, tenant, provider_id)
            for entry in tenant.peek(kind, provider_id):
                scenario = found.played(entry)
                if scenario is not None and scenarios.unfinished(entry, scenario):
                    step = scenario.steps[entry["index"]]
                    left = "" if step.times is None else f", {step.times - entry['done']} to go"
                    lines.append(
                        f"{provider_id}: {entry['name']}: step {entry['index'] + 1} of {len(scenario.steps)}{left}"
                    )
    return lines


def unmatched(runtime: Runtime, tenant_name: str) -> list[str]:
    """Requests that met no operation, one line each."""
    return [
        f"{entry['provider'] or 'no provider'}: {entry['method']} {entry['path']} -> {entry['status']}"
        f" {entry['refusal'] or 'unknown address'}"
        for entry in journal(runtime, tenant_name)
        if not entry["matched"]
    ]
