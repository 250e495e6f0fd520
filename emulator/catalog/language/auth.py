"""auth.yaml: where a credential stands and whose it is."""

from typing import Any, Literal

from pydantic import Field, model_validator

from emulator.catalog.language.base import Model, SourceName, header_name
from emulator.refusals import RefusalName


class Accept(Model):
    """One place a credential may stand."""

    where: Literal["header", "query"] = Field(alias="in")
    name: str
    scheme: Literal["bearer", "bare"] = "bare"
    source: SourceName | None = None

    @model_validator(mode="after")
    def _named(self) -> "Accept":
        if self.where == "header":
            header_name(self.name)
        return self


class Credential(Model):
    """Keys that match a shell-style pattern are this principal, or meet this refusal."""

    match: str
    principal: dict[str, Any] | None = None
    refuse: RefusalName | None = None
    source: SourceName | None = None

    @model_validator(mode="after")
    def _one_outcome(self) -> "Credential":
        if (self.principal is None) == (self.refuse is None):
            raise ValueError("say either `principal:` or `refuse:`")
        return self


class Auth(Model):
    """First matching credential wins; a place is tried in the order given."""

    accept: list[Accept] = Field(min_length=1)
    credentials: list[Credential] = Field(min_length=1)
    anonymous: dict[str, Any] = Field(
        default_factory=dict, description="The principal of a request whose key is missing or wrong."
    )
