"""resources.yaml: collections that operations read and change."""

from typing import Any

from pydantic import Field

from emulator.catalog.language.base import Expr, Model, SourceName, Tree
from emulator.mechanisms.resources import Verb
from emulator.refusals import RefusalName


class Resource(Model):
    """One kind of resource."""

    source: SourceName
    account: Expr = Field("principal.id", description="Requests with the same value share the collection.")
    id: Tree = Field(description='A template that draws the id: "BRK-${digits(6)}K".')
    fields: dict[str, Tree] = Field(default_factory=dict, description="Computed when it is created, in order.")
    changes: dict[str, Tree] = Field(default_factory=dict, description="Computed anew when it is updated.")
    unique: list[str] = Field(default_factory=list)
    most: int | None = Field(None, ge=1, description="How many there may be.")
    seed: list[dict[str, Any]] = Field(default_factory=list, description="Items every collection begins with.")


class Page(Model):
    """How a list is cut into pages."""

    number: Expr = "query.page"
    size: Expr = "query.limit"
    default: int = Field(20, ge=1)
    most: int = Field(100, ge=1)


class Guard(Model):
    """A condition on which the operation is refused."""

    when: Expr
    refuse: RefusalName
    facts: dict[str, Tree] = Field(default_factory=dict)


class Act(Model):
    """What an operation does with resources: a verb on a resource, or a list of something computed."""

    resource: str | None = None
    verb: Verb
    items: Expr | None = Field(None, description="list: what is listed, when it is no resource (account.entries).")
    where: Expr | None = Field(None, description="list: which items, with each in `item`.")
    newest_first: bool = False
    page: Page | None = None
    item: Expr | None = Field(None, description="get, update, delete: the id; delete_many: a list of ids.")
    guards: list[Guard] = Field(default_factory=list)
