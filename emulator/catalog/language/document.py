"""All files of one `fixtures/<id>/` folder, as one document."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from emulator.catalog.language.auth import Auth
from emulator.catalog.language.base import Expr, HeaderName, Model, SourceName, Tree, header_value
from emulator.catalog.language.errors import Errors, Validation
from emulator.catalog.language.latency import Latency
from emulator.catalog.language.limits import Limits
from emulator.catalog.language.operations import Operation, Read
from emulator.catalog.language.prices import Prices
from emulator.catalog.language.provider import Body, ClientEnv, Encoding, ModelEntry, Source, Tokens
from emulator.catalog.language.quirks import Quirk
from emulator.catalog.language.resources import Resource
from emulator.catalog.language.scenarios import Scenario
from emulator.catalog.language.streams import Stream
from emulator.provider import CheckName


def _default_checks() -> list[CheckName]:
    return ["authenticate", "validate", "limit", "disrupt"]


class Variant(Model):
    """A named overlay: sections merged over the provider's, quirks dropped and added, models added or replaced."""

    summary: str
    source: SourceName
    drop_quirks: list[str] = Field(default_factory=list)
    add_quirks: list[Quirk] = Field(default_factory=list)
    add_models: list[ModelEntry] = Field(
        default_factory=list, description="More models; one with the id of another stands in its place."
    )
    overlay: dict[str, Any] = Field(
        default_factory=dict, description="Sections, as in the files: maps merge, lists and templates replace."
    )


class Alias(Model):
    """A further path for one of the spec's."""

    to: str = Field(description="The path of the spec that it stands for.")
    source: SourceName


class Head(Model):
    """That HEAD is answered wherever GET is: by the same headers, without a body."""

    source: SourceName


class Document(Model):
    """One provider, or a dialect that providers extend."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    title: str = ""
    abstract: bool = Field(False, description="A dialect: a base to extend, not served.")
    extends: str | None = None
    spec: str = ""
    origin: str = ""
    base_path: str = Field("", description="What SDKs append to the origin.")
    env: ClientEnv = ClientEnv()
    api_key: str = Field("emu-ok", description="A key that works, also under --strict-auth.")
    client_headers: dict[HeaderName, Annotated[str, AfterValidator(header_value)]] = Field(
        default_factory=dict, description="Headers the provider asks of clients."
    )
    trailing_slash: bool = Field(False, description="Serve every path with and without a slash at its end.")
    head: Head | None = Field(None, description="Answer HEAD wherever GET is answered, by the same without a body.")
    aliases: dict[str, Alias | str] = Field(
        default_factory=dict,
        description="Further paths -> the path of the spec they stand for; without a source, they are assumed.",
    )
    checks: list[CheckName] = Field(default_factory=_default_checks)
    sources: dict[str, Source] = Field(default_factory=dict)
    models: list[ModelEntry] = Field(default_factory=list)
    tokens: Tokens = Tokens()
    body: Body = Body()
    encoding: Encoding = Encoding()
    auth: Auth | None = None
    account: Expr = Field("principal.id", description="Requests with the same value share resources and balance.")
    limits: Limits = Limits()
    prices: Prices | None = None
    read: dict[str, Read] = Field(default_factory=dict)
    shapes: dict[str, Tree] = Field(default_factory=dict)
    streams: dict[str, Stream] = Field(default_factory=dict)
    latency: Latency = Latency()
    operations: dict[str, Operation] = Field(default_factory=dict)
    absent: list[str] = Field(
        default_factory=list, description="Operations of the spec that are not there: requests meet an unknown route."
    )
    resources: dict[str, Resource] = Field(default_factory=dict)
    errors: Errors | None = None
    validation: Validation | None = None
    quirks: list[Quirk] = Field(default_factory=list)
    scenarios: dict[str, Scenario] = Field(default_factory=dict)
    variants: dict[str, Variant] = Field(default_factory=dict)

    @property
    def alias_targets(self) -> dict[str, str]:
        """Further paths -> the path of the spec they stand for."""
        return {path: alias if isinstance(alias, str) else alias.to for path, alias in self.aliases.items()}

    @property
    def alias_sources(self) -> dict[str, str | None]:
        """Further paths -> the name of their source, where they have one."""
        return {path: None if isinstance(alias, str) else alias.source for path, alias in self.aliases.items()}
