"""Resources that accounts begin with: those of a user's own, and whether an account with them can be opened at all."""

from collections.abc import Iterator, Mapping
from typing import Any

from emulator.catalog.source import Problem, Tree, show_path
from emulator.exchange import new_scope
from emulator.mechanisms.accounts import Account
from emulator.mechanisms.entropy import Entropy
from emulator.mechanisms.expressions import ExpressionError
from emulator.mechanisms.loading import Misfit
from emulator.mechanisms.resources import Conflict, Item
from emulator.provider import Provider

Initial = Mapping[str, tuple[Item, ...]]


def initial_resources(tree: Tree, kinds: Mapping[str, Any]) -> tuple[Initial, list[Problem]]:
    """The resources of a file `resources/<id>.yaml`: a list of fields by kind, and what is wrong with it."""
    if not isinstance(tree.data, dict):
        return {}, [Problem(tree.place(()), "", "is not a mapping of kinds of resources to lists")]
    problems = list(_problems(tree, kinds))
    return ({} if problems else {name: tuple(items) for name, items in tree.data.items()}), problems


def _problems(tree: Tree, kinds: Mapping[str, Any]) -> Iterator[Problem]:
    for name, items in tree.data.items():
        place = tree.place((name,))
        if name not in kinds:
            yield Problem(place, str(name), f'"{name}" does not exist; there are {", ".join(kinds) or "none"}')
        elif not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            yield Problem(place, name, "is not a list of resources, each with its fields")


def opening_problem(provider: Provider, tree: Tree) -> Problem | None:
    """What goes wrong when an account of the provider's own key is opened, with all that it begins with."""
    rules = provider.accounts
    principal = provider.identify(provider.api_key, False)
    if rules is None or isinstance(principal, str):
        return None
    try:
        Account(rules, {}, new_scope(provider, Entropy(provider.id), 0.0, principal), 0.0)
    except (Conflict, ExpressionError) as error:
        path = error.path if isinstance(error, Misfit) else ()
        return Problem(tree.place(path), "", f"an account cannot begin with these resources: {reason(error)}")
    return None


def identity_problem(provider: Provider, tree: Tree) -> Problem | None:
    """That resources would be given ids that are no text, by which nobody could find them again."""
    scope = new_scope(provider, Entropy(provider.id), 0.0, provider.anonymous)
    for name, kind in provider.accounts.kinds.items() if provider.accounts is not None else ():
        try:
            drawn = kind.id(scope)
        except ExpressionError:  # it needs a request
            continue
        if drawn is not None and not isinstance(drawn, str):
            path = ("resources", name, "id")
            return Problem(tree.place(path), show_path(path), f"gives {drawn!r}, and an id is text; say `string(...)`")
    return None


def reason(error: Conflict | ExpressionError) -> str:
    """Why resources cannot be loaded, in words."""
    if isinstance(error, ExpressionError):
        return str(error)
    facts = ", ".join(f"{name} {value}" for name, value in error.facts.items() if value not in ("", None))
    return f"{error.refusal} ({facts})"
