"""A prepaid account: exact decimals, and never further below zero than the last accepted request explains."""

from decimal import Decimal
from fractions import Fraction

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator import Emulation
from emulator.mechanisms import ledger

AMOUNTS = st.decimals(min_value=0, max_value=50, places=6)


@given(AMOUNTS, st.lists(st.tuples(st.integers(0, 10**6), AMOUNTS), max_size=30))
@settings(deadline=None)
def test_charges_add_up_to_the_last_digit(opening: Decimal, uses: list[tuple[int, Decimal]]) -> None:
    account, spent = ledger.opened(opening), Fraction(0)
    for quantity, price in uses:
        amount = price * quantity / 1_000_000
        assert Fraction(amount) == Fraction(price) * quantity / 1_000_000
        spent += Fraction(amount)
        assert Fraction(ledger.charge(account, "chat", amount, {})) == Fraction(opening) - spent
    assert Fraction(account["spent"]) == spent
    assert Fraction(ledger.balance(account)) == Fraction(opening) - spent


@given(AMOUNTS, st.lists(st.tuples(st.sampled_from(["chat", "disk", "top-up"]), AMOUNTS), max_size=30))
@settings(deadline=None)
def test_the_books_explain_the_balance(opening: Decimal, moves: list[tuple[str, Decimal]]) -> None:
    account = ledger.opened(opening)
    for number, (book, amount) in enumerate(moves):
        if book == "top-up":
            ledger.pay_in(account, amount)
        else:
            ledger.charge(account, book, amount, {"usage": {"words": number, "model": "small"}})
    books = {book: ledger.entries(account, book) for book in ("chat", "disk", "tape")}
    entries = {book: sum((Decimal(e["amount"]) for e in books[book].values()), Decimal(0)) for book in books}
    assert opening + Decimal(account["paid_in"]) - sum(entries.values()) == ledger.balance(account)
    for book, spent in entries.items():
        totals = ledger.totals(account, book)
        assert (Decimal(totals["amount"]), totals["count"]) == (spent, len(books[book]))
        assert totals["usage"].get("words", 0) == sum(e["usage"]["words"] for e in books[book].values())
        assert "model" not in totals["usage"]


@given(st.lists(AMOUNTS, min_size=1, max_size=10))
@settings(deadline=None)
def test_amounts_are_written_as_people_do(draws: list[Decimal]) -> None:
    """Also nothing to many places, and a thousand that somebody wrote as 1E+3."""
    account = ledger.opened(Decimal("1E+3"))
    for amount in (*draws, Decimal("0E-10")):
        ledger.charge(account, "chat", amount, {})
    ledger.charge(account, "chat", ledger.balance(account), {})
    ledger.pay_in(account, Decimal("1E+2"))
    amounts = [entry["amount"] for entry in ledger.entries(account, "chat").values()]
    assert not any("E" in text for text in (account["balance"], account["spent"], account["paid_in"], *amounts))


@given(st.lists(AMOUNTS, min_size=1, max_size=10))
@settings(deadline=None)
def test_an_entry_may_grow(draws: list[Decimal]) -> None:
    account = ledger.opened(Decimal(100))
    key = ledger.post(account, "disk", {"id": "d1"})
    for amount in draws:
        ledger.draw(account, "disk", ledger.entries(account, "disk")[key], amount)
    assert ledger.entries(account, "disk") == {key: {"id": "d1", "amount": str(sum(draws))}}
    assert ledger.totals(account, "disk")["amount"] == account["spent"] == str(sum(draws))
    assert ledger.balance(account) == 100 - sum(draws)


def test_of_very_many_entries_the_oldest_leave_that_no_longer_run() -> None:
    account = ledger.opened(Decimal(0))
    for name in ("running", "ended"):
        ledger.post(account, "disk", {"id": name, "until": None if name == "running" else 1.0})
    for _ in range(ledger.MOST_ENTRIES):
        ledger.charge(account, "disk", Decimal(1), {})
    entries = ledger.entries(account, "disk")
    assert len(entries) == ledger.MOST_ENTRIES
    assert next(iter(entries.values()))["id"] == "running"
    assert all(entry.get("id") != "ended" for entry in entries.values())
    totals = ledger.totals(account, "disk")
    assert (totals["count"], totals["amount"]) == (ledger.MOST_ENTRIES + 2, str(ledger.MOST_ENTRIES))


@given(AMOUNTS, st.lists(AMOUNTS, min_size=1, max_size=30))
@settings(deadline=None)
def test_prepaid_service_ends_within_one_request_of_zero(opening: Decimal, amounts: list[Decimal]) -> None:
    account, last = ledger.opened(opening), Decimal(0)
    for amount in amounts:
        if ledger.balance(account) > 0:
            last = amount
            ledger.charge(account, "chat", amount, {})
        assert ledger.balance(account) > -last or ledger.balance(account) == last == 0


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
