"""A prepaid account: exact decimals, and never further below zero than the last accepted request explains."""

from decimal import Decimal
from fractions import Fraction

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator import Emulation
from emulator.mechanisms import ledger
from emulator.mechanisms.ledger import Price

AMOUNTS = st.decimals(min_value=0, max_value=50, places=6)


@given(AMOUNTS, st.lists(st.tuples(st.integers(0, 10**6), AMOUNTS), max_size=30))
@settings(deadline=None)
def test_charges_add_up_to_the_last_digit(opening: Decimal, uses: list[tuple[int, Decimal]]) -> None:
    account, spent = ledger.opened(opening), Fraction(0)
    for quantity, price in uses:
        amount = Price(Decimal(1_000_000), {}, price).of(quantity, None)
        assert Fraction(amount) == Fraction(price) * quantity / 1_000_000
        spent += Fraction(amount)
        assert Fraction(ledger.charge(account, amount, {})) == Fraction(opening) - spent
    assert Fraction(account["spent"]) == spent
    assert Fraction(ledger.balance(account)) == Fraction(opening) - spent


@given(AMOUNTS, st.lists(AMOUNTS, min_size=1, max_size=30))
@settings(deadline=None)
def test_prepaid_service_ends_within_one_request_of_zero(opening: Decimal, amounts: list[Decimal]) -> None:
    account, last = ledger.opened(opening), Decimal(0)
    for amount in amounts:
        if ledger.balance(account) > 0:
            last = amount
            ledger.charge(account, amount, {})
        assert ledger.balance(account) > -last or ledger.balance(account) == last == 0


def test_a_model_may_have_a_price_of_its_own() -> None:
    price = Price(Decimal(1000), {"large": Decimal("0.30")}, Decimal("0.10"))
    assert price.of(1500, "large") == Decimal("0.45")
    assert price.of(1500, "small") == Decimal("0.15")
    assert price.of(1500, None) == Decimal("0.15")


@given(st.lists(st.integers(1, 400), min_size=1, max_size=12))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_balance_over_http(emulator: Emulation, sizes: list[int]) -> None:
    emulator.reset()
    barrack = emulator["barrack"]
    headers = {"Authorization": f"Bearer brk-low-1~{emulator.tenant}"}  # opens with 0.00005
    balance, last = Decimal("0.00005"), Decimal(0)
    with httpx.Client(transport=emulator.transport(), base_url=barrack.base_url, headers=headers) as client:
        for size in sizes:
            body = {"model": barrack.models[0], "messages": [{"role": "user", "content": "word " * size}]}
            reply = client.post("/ai/chat/", json=body)
            assert reply.status_code == (200 if balance > 0 else 402)
            if reply.status_code == 200:
                usage = reply.json()["usage"]
                last = (usage["prompt_tokens"] * Decimal("0.15") + usage["completion_tokens"] * Decimal("0.60")) / 10**6
                balance -= last
                charged = barrack.journal[-1].raw["charged"]
                assert (Decimal(charged["amount"]), Decimal(charged["balance"])) == (last, balance)
            assert balance >= -last
