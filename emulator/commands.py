"""What a test can ask of the emulator: the one implementation behind handles and the control API.

Every function takes the runtime, holds its lock, and raises CommandError with the way out.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from typing import Any

from emulator.catalog.source import LoadError, Tree
from emulator.exchange import Runtime, new_scope, open_account
from emulator.mechanisms import journal as journals
from emulator.mechanisms import ledger, outbox, scenarios
from emulator.mechanisms.accounts import Account
from emulator.mechanisms.clock import Clock, parse_duration
from emulator.mechanisms.entrances import Disturbance, Entrance
from emulator.mechanisms.entropy import Entropy
from emulator.mechanisms.expressions import ExpressionError
from emulator.mechanisms.fault_catalogue import FAULTS, OF_CONNECTIONS, OF_REQUESTS
from emulator.mechanisms.loading import Misfit, not_given
from emulator.mechanisms.resources import Conflict
from emulator.mechanisms.store import Tenant
from emulator.operation import concerns
from emulator.provider import Provider, ProviderFamily
from emulator.refusals import REFUSALS

_MOST_PAID = Decimal(10) ** 12
_LONGEST = 86_400.0


class CommandError(ValueError):
    """What was asked cannot be done. The text says why and what can."""


def _asked_for(info: Any) -> bool:
    return bool(info.errisinstance(CommandError))


__tracebackhide__ = _asked_for
"""For pytest: a mistake is shown where the test makes it, without what lies between it and here."""


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
    """Make the next matching requests fail: a step with `refuse` (a name or a status) or `fault`, `times`, `when`, …"""
    refuse, fault = step.get("refuse"), step.get("fault")
    if not refuse and not fault:
        raise CommandError("say what shall fail: `refuse` (a refusal) or `fault`")
    if isinstance(refuse, str) and refuse in FAULTS and refuse not in REFUSALS:  # some names are both
        raise CommandError(f"`{refuse}` is a fault: say it by `fault`")
    if isinstance(fault, str) and fault in REFUSALS and fault not in FAULTS:
        raise CommandError(f"`{fault}` is a refusal: say it by `refuse`")
    with _open(runtime, tenant_name) as tenant:
        found = provider(runtime, tenant, provider_id)
        if isinstance(refuse, int) and not isinstance(refuse, bool):
            step = {**step, "refuse": _answered_with(found, refuse, step.get("operation")), "status": refuse}
        try:
            _queue(found, tenant, [step])
        except ValueError as error:
            raise CommandError(str(error).removeprefix("steps[0]").lstrip(".: ")) from None


def _answered_with(found: Provider, status: int, operation: Any) -> str:
    """The first refusal that is answered with a status, by the operation if one is named."""
    if operation is not None:
        _known_operation(found, operation)
    reached = [
        (entry.status, name)
        for name, entries in found.errors.items()
        for entry in entries
        if operation is None or concerns(entry.operations, operation)
    ]
    for answered, name in reached:
        if answered == status:
            return name
    told, whom = sorted({answered for answered, _ in reached}), "" if operation is None else f" to {operation}"
    raise CommandError(f"{found.id} never answers {status}{whom}; there are {', '.join(map(str, told))}")


def play(runtime: Runtime, tenant_name: str, provider_id: str, scenario: str | list[dict[str, Any]]) -> None:
    """Play a scenario of the provider by name, or the given steps, after what is already queued."""
    with _open(runtime, tenant_name) as tenant:
        found = provider(runtime, tenant, provider_id)
        if isinstance(scenario, str):
            known_scenario(found, scenario)
            scenarios.start(tenant.cell("plays", provider_id, list), scenario, "control")
            return
        try:
            _queue(found, tenant, scenario)
        except ValueError as error:
            raise CommandError(str(error)) from None


def _queue(found: Provider, tenant: Tenant, steps: list[dict[str, Any]]) -> None:
    """Play steps after what is already queued. Raises ValueError for what are none."""
    text = json.dumps(steps)
    compiled = found.compile_steps("steps", text)
    for step in compiled.steps:
        within = None if step.fault is None else step.fault.arguments.get("refuse")
        for refuse in (step.refuse, within):
            if refuse is not None and refuse not in found.errors:
                raise CommandError(f"{found.id} has no reply for {refuse}; it has {', '.join(found.errors)}")
        if step.operation is not None:
            _known_operation(found, step.operation)
        if step.latency is not None:
            known_latency(found, step.latency)
    scenarios.start(tenant.cell("plays", found.id, list), _title(compiled), "control", text)


def _known_operation(found: Provider, name: Any) -> None:
    if not isinstance(name, str) or name not in found.operations:
        raise CommandError(f"{found.id} has no operation {name!r}; there are {', '.join(found.operations)}")


def _title(scenario: scenarios.Scenario) -> str:
    return ", ".join(
        step.refuse or (step.fault.name if step.fault else "reply" if step.script else step.latency or "as usual")
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
    except LoadError as error:
        raise CommandError(str(error)) from None


def known_scenario(found: Provider, name: str) -> None:
    """Raises CommandError unless the provider has the scenario."""
    if name not in found.scenarios:
        known = ", ".join(found.scenarios) or "none"
        raise CommandError(f"{found.id} has no scenario {name!r}; there are: {known}")


def known_latency(found: Provider, name: str) -> None:
    """Raises CommandError unless the provider has the latency profile."""
    if name not in found.latency.profiles:
        known = ", ".join(found.latency.profiles) or "none"
        raise CommandError(f"{found.id} has no latency profile {name!r}; there are: {known}")


def latency(runtime: Runtime, tenant_name: str, provider_id: str, profile: str | None) -> None:
    """Serve this tenant with a latency profile of a provider; None: as the provider's data say."""
    with _open(runtime, tenant_name) as tenant:
        found = provider(runtime, tenant, provider_id)
        if profile is not None:
            known_latency(found, profile)
        tenant.cell("latency", provider_id, dict)["profile"] = profile


def use(runtime: Runtime, tenant_name: str, provider_id: str, variants: Sequence[str]) -> None:
    """Serve this tenant with the given variants of a provider instead of those it had."""
    with _open(runtime, tenant_name) as tenant:
        with_variants(runtime, provider_id, variants)
        tenant.cell("variants", provider_id, dict)["names"] = list(variants)


def top_up(runtime: Runtime, tenant_name: str, provider_id: str, amount: Any, key: str | None = None) -> dict[str, Any]:
    """Pay an amount into the account of a key; gives `balance` (decimal text) and `currency`."""
    with _account(runtime, tenant_name, provider_id, key, paying=True) as account:
        try:
            paid = Decimal(str(amount))
        except InvalidOperation:
            paid = Decimal("NaN")
        if isinstance(amount, bool) or not paid.is_finite() or paid <= 0 or paid > _MOST_PAID:
            raise CommandError(f"{amount!r} is no amount: a number above zero, or its decimal text")
        if paid != round(paid, ledger.PLACES):
            raise CommandError(f"{amount!r} is no amount: it has more than {ledger.PLACES} decimal places")
        return {"balance": str(account.pay_in(paid)), "currency": account.data["currency"]}


def load(
    runtime: Runtime, tenant_name: str, provider_id: str, resources: Any, key: str | None = None
) -> dict[str, list[str]]:
    """Give the account of a key resources, all or none: lists of fields by kind. Gives their ids by kind."""
    from emulator.catalog.initial import initial_resources, reason

    with _account(runtime, tenant_name, provider_id, key) as account:
        given, problems = initial_resources(Tree(resources), account.rules.kinds)
        if problems:
            raise CommandError(f"{problems[0].path or 'resources'}: {problems[0].message}")
        try:
            return account.load(given)
        except (Conflict, ExpressionError) as error:
            raise CommandError(f"nothing was loaded: {reason(error)}{_not_given(account, given, error)}") from None


def _not_given(account: Account, given: Mapping[str, Any], error: Exception) -> str:
    """What may be missing, where it was no field of its own that a resource could not be made with."""
    if not isinstance(error, Misfit) or len(error.path) != 2:
        return ""
    kind, number = error.path
    missing = not_given(account.rules.kinds[str(kind)], given[str(kind)][number])
    return f"; not given: {', '.join(missing)}" if missing else ""


@contextmanager
def _account(
    runtime: Runtime, tenant_name: str, provider_id: str, key: str | None, *, paying: bool = False
) -> Iterator[Account]:
    """The account that requests with a key use; without one, with the provider's own key."""
    with _open(runtime, tenant_name) as tenant:
        found = provider(runtime, tenant, provider_id)
        key = (key or found.api_key).removesuffix(f"~{tenant_name}")
        principal = found.identify(key, runtime.strict_auth)
        if isinstance(principal, str):
            raise CommandError(f"the key {key} is not accepted: {principal}")
        if found.accounts is None:
            raise CommandError(f"{provider_id} has no accounts: nothing is paid and nothing is owned there")
        if paying and found.prices is None:
            raise CommandError(f"{provider_id} has no prices: nothing is paid there")
        now = runtime.now(tenant)
        commands_so_far = tenant.cell("occurrences", provider_id, dict)
        commands_so_far["command"] = commands_so_far.pop("command", 0) + 1
        entropy = Entropy(runtime.seed, tenant_name, provider_id, "command", commands_so_far["command"])
        try:
            account = open_account(found, tenant, new_scope(found, entropy, now, principal), now)
        except ExpressionError as error:
            raise CommandError(f"the account cannot be brought up to now: {error}") from None
        assert account is not None
        yield account


def connections(
    runtime: Runtime,
    fault: Any,
    *,
    provider_id: str | None = None,
    times: Any = None,
    lasts: Any = None,
) -> Disturbance:
    """Let the next connections meet a fault: `times` of them, for as long as it `lasts`, or until it is lifted.

    It is set on every port, or on the provider's own. Ports belong to no tenant, and their time is real time.
    """
    if fault not in OF_CONNECTIONS:
        hint = f"; {fault} happens to requests: `fail` can ask for it" if fault in OF_REQUESTS else ""
        raise CommandError(f"{fault!r} is no fault of connections; there are {', '.join(OF_CONNECTIONS)}{hint}")
    if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
        raise CommandError("`times` is a number of connections, 1 or more")
    if fault == "refuse" and times is not None:
        raise CommandError("nobody counts connections to a closed port: say how long refuse lasts, or lift it")
    seconds = None if lasts is None else _seconds(lasts)
    chosen = entrances(runtime, provider_id)
    if FAULTS[fault].layer == "handshake" and not all(entrance.tls for entrance in chosen):
        raise CommandError(f"{fault} needs https: `emulator serve --tls`, `pytest --emulator-tls`")
    return Disturbance([(entrance, entrance.set(fault, times, seconds)) for entrance in chosen])


def _seconds(lasts: Any) -> float:
    try:
        seconds = parse_duration(lasts) if isinstance(lasts, (int, float, str)) and not isinstance(lasts, bool) else 0
    except ValueError as error:
        raise CommandError(str(error)) from None
    if not 0 < seconds <= _LONGEST:
        raise CommandError("a fault of connections lasts more than nothing and at most a day: 350ms, 60s, 2h")
    return seconds


def entrances(runtime: Runtime, provider_id: str | None = None) -> list[Entrance]:
    """The ports that are served (the process itself, where there are none), or the one of a provider."""
    if provider_id is None:
        return list(runtime.entrances)
    family(runtime, provider_id)
    own = [entrance for entrance in runtime.entrances if entrance.provider == provider_id]
    if not own:
        raise CommandError(f"{provider_id} has no port of its own: `emulator serve --ports`, or leave the provider out")
    return own


def lift_connections(runtime: Runtime) -> None:
    """Let connections come in as they should, everywhere."""
    for entrance in runtime.entrances:
        entrance.lift()


def reset(
    runtime: Runtime, tenant_name: str, provider_id: str | None = None, kinds: Sequence[str] | None = None
) -> None:
    """Forget a tenant's state: all of it, one provider's, or only some kinds (`windows`, `accounts`, …)."""
    if kinds is not None and "journal" in kinds:
        kinds = [*kinds, "journal_count"]  # or what is forgotten would count as lost
    with _open(runtime, tenant_name) as tenant:
        if provider_id is None:
            tenant.clear(set(kinds) if kinds is not None else None)
            return
        family(runtime, provider_id)
        for kind, key in list(tenant.cells):
            if (kinds is None or kind in kinds) and key.split(":", 1)[0] == provider_id:
                tenant.forget(kind, key)
        if kinds is None or "journal" in kinds:
            journals.forget(tenant, provider_id)


def journal(runtime: Runtime, tenant_name: str, provider_id: str | None = None) -> list[dict[str, Any]]:
    """The tenant's journal, oldest first, of one provider or all."""
    with runtime.store.lock:
        return [dict(entry) for entry in journals.entries(runtime.store.tenant(tenant_name), provider_id)]


def exchanges(runtime: Runtime, tenant_name: str, provider_id: str) -> int:
    """How many exchanges of a provider the tenant's journal had, those that left it included."""
    with runtime.store.lock:
        return journals.exchanges(runtime.store.tenant(tenant_name), provider_id)


def sent(runtime: Runtime, tenant_name: str, provider_id: str | None = None) -> list[dict[str, Any]]:
    """What a provider (or each, one after the other) sent to people outside, oldest first."""
    wanted = list(runtime.providers) if provider_id is None else [provider_id]
    with runtime.store.lock:
        tenant = runtime.store.tenant(tenant_name)
        return [{"provider": name, **message} for name in wanted for message in outbox.messages(tenant, name)]


@contextmanager
def clock(runtime: Runtime, tenant_name: str) -> Iterator[Clock]:
    """The tenant's clock. Raises CommandError for a time or duration that is none."""
    with _open(runtime, tenant_name) as tenant:
        try:
            yield runtime.clock(tenant)
        except (ValueError, TypeError) as error:
            raise CommandError(str(error)) from None


def unfinished(runtime: Runtime, tenant_name: str) -> list[str]:
    """What was asked to happen and did not, one line each."""
    lines = []
    with runtime.store.lock:
        tenant = runtime.store.tenant(tenant_name)
        now = runtime.now(tenant)
        for kind, provider_id in list(tenant.cells):
            if kind != "plays" or provider_id not in runtime.providers:  # a file may know of others
                continue
            found = runtime.provider(tenant, provider_id)
            for entry in tenant.peek(kind, provider_id):
                scenario = found.played(entry)
                step = scenarios.unfinished(entry, scenario, now) if scenario is not None else None
                if scenario is not None and step is not None:
                    left = "" if step.times is None else f", {step.times - entry['done']} to go"
                    lines.append(
                        f"{provider_id}: {entry['name']}: step {entry['index'] + 1} of {len(scenario.steps)}{left}"
                    )
    return lines


def unmatched(runtime: Runtime, tenant_name: str) -> list[str]:
    """Requests that met no operation, one line each; of many of a provider the first, and how many more."""
    with runtime.store.lock:
        return journals.unmatched(runtime.store.tenant(tenant_name))
