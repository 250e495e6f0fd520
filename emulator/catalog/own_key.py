"""Whether a provider's own key is one that it accepts, and what the account of that key begins with."""

from emulator.catalog.source import Problem, Tree, show_path
from emulator.exchange import new_scope
from emulator.mechanisms.entropy import Entropy
from emulator.mechanisms.expressions import ExpressionError
from emulator.provider import Provider


def own_key_problem(provider: Provider, tree: Tree) -> Problem | None:
    """What keeps the key that clients are told of from working, or its account from having money."""
    principal, rules = provider.identify(provider.api_key, False), provider.accounts
    if isinstance(principal, str):
        return _refused(provider, tree, principal) if any(o.secured for o in provider.operations.values()) else None
    if rules is None:
        return None
    scope = new_scope(provider, Entropy(provider.id), 0.0, principal)
    try:
        key = "opening_balance"
        rules.opening_balance.decimal(scope)
        key = "currency"
        rules.currency.evaluate(scope)
    except ExpressionError as error:
        path = ("prices", key)
        return Problem(tree.place(path), show_path(path), f"fails for the provider's own key: {error}")
    return None


def _refused(provider: Provider, tree: Tree, refusal: str) -> Problem:
    message = f'"{provider.api_key}" meets {refusal}; name a key here that a pattern of auth.credentials accepts'
    return Problem(tree.place(("api_key",)), "api_key", message)
