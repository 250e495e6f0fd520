"""An operation as the pipeline sees it: what its request means, what it does, how its reply looks."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Literal

from emulator.mechanisms.codegen import Code, compiled
from emulator.mechanisms.encoding import Encoding
from emulator.mechanisms.events import EventKind
from emulator.mechanisms.expressions import Expression, Scope
from emulator.mechanisms.forms import FormSchema
from emulator.mechanisms.journal import Note
from emulator.mechanisms.records import record
from emulator.mechanisms.requests import Reader
from emulator.mechanisms.resources import Fields, Paging, ResourceType, Verb
from emulator.mechanisms.templates import Template
from emulator.mechanisms.violations import RequestSchema
from emulator.refusals import RefusalName

Grade = Literal["documented", "observed", "assumed"]


def concerns(operations: tuple[str, ...] | None, operation: str | None) -> bool:
    """Whether data that names operations (None: all) is about an operation (None: a request that met none)."""
    return operations is None or operation in operations


@record
class Source:
    """Where a fact comes from and how well it is known."""

    ref: str
    grade: Grade


NO_SOURCE = Source("no source is given", "assumed")


@record
class ContextPolicy:
    """What happens to a prompt that does not fit the model's context window."""

    max_tokens: Literal["lower", "count", "ignore"]
    """`lower` reduces max_tokens to what is left, `count` refuses when prompt + max_tokens exceed the window."""
    evict: tuple[str, ...]
    """Roles whose oldest messages are dropped until the prompt fits `request.truncate_to`."""


@record
class StreamPlan:
    """How a completion becomes a stream: a template an event, framing, terminator, pace (seconds)."""

    events: Mapping[EventKind, Template]
    framing: Literal["sse", "ndjson"]
    media_type: str
    terminator: str | None
    usage: Literal["always", "on_request", "never"]
    spaces: Literal["before", "after"]
    blanks: int | None
    encoding: Encoding
    first_event: float
    gap: float


@record
class Guard:
    """A condition on which an operation is refused, and the facts its error tells."""

    when: Expression
    refuse: RefusalName
    facts: Mapping[str, Template]
    fields: Fields
    """What the refusal changes of the item all the same."""


@record
class Part:
    """Resources that are created with another, one for each body of a list; expressions see it as `parent`."""

    resource: ResourceType
    each: Expression
    fields: Fields


@record
class Message:
    """What an operation sends to somebody outside."""

    to: Template
    subject: Template
    text: Template
    values: Mapping[str, Template]
    """What a reader would take from it, each by itself."""


@record
class Act:
    """What an operation does with resources: a verb on a kind of them, or a list of the entries of a book."""

    verb: Verb
    resource: ResourceType | None
    book: str | None
    item: Expression | None
    """The id, or a list of ids, all of which or none are changed."""
    others: Mapping[str, Expression]
    """Kind -> id or ids of further resources, which expressions see under `other`."""
    by: Mapping[str, str]
    """Kind -> the unique field whose values stand for ids."""
    states: frozenset[str]
    """Those the item may be in; empty: any."""
    guards: tuple[Guard, ...]
    fields: Fields
    """What is computed: of a new item, or anew."""
    call: str | None
    """create: the state it begins in; call: the transition."""
    each: Expression | None
    """create: the bodies of several resources, all of which or none are made."""
    parts: tuple[Part, ...]
    sends: tuple[Message, ...]
    filter: Mapping[str, Expression]
    newest_first: bool
    paging: Paging | None

    @cached_property
    def done(self) -> Note:
        """What the trace of a request says when it was done."""
        return "produce", self.verb, {"resource": self.resource.name if self.resource else self.book}

    @cached_property
    def wanted(self) -> Callable[[Scope], dict[str, Any]]:
        """The values that the fields of what is listed have to have; null where any will do."""
        return compiled(self._written_filter)

    @cached_property
    def guard(self) -> Callable[[Scope], Guard | None]:
        """The first guard whose condition holds."""
        return compiled(self._written_guards, careful=lambda: self._first_guard)

    def _written_guards(self, code: Code) -> str:
        code.fallible = True  # a condition that cannot be computed does not hold, and the next one is looked at
        choices = (f"{code.named(guard)} if {guard.when.written(code)} else " for guard in self.guards)
        return f"({''.join(choices)}None)"

    def _first_guard(self, scope: Scope) -> Guard | None:
        return next((guard for guard in self.guards if guard.when.holds(scope)), None)

    def _written_filter(self, code: Code) -> str:
        return f"{{{', '.join(f'{name!r}: {value.written(code)}' for name, value in self.filter.items())}}}"


@record
class RequestExamples:
    """What the spec shows a request with."""

    path: Mapping[str, str]
    """The example of each path parameter."""
    bodies: Mapping[str, Any]
    """By name, each with a model the provider has; one without a name is ``."""
    media_type: str
    """JSON, or a form where the spec declares nothing but one."""

    @property
    def body(self) -> Any:
        """One that works: the one called `hello`, or the first; None without any."""
        return self.bodies.get("hello", next(iter(self.bodies.values()), None))


@record
class Operation:
    """One OpenAPI operation and the behaviour that hangs on its id."""

    id: str
    method: str
    path: str
    """As a client calls it, the server's base path included."""
    statuses: tuple[int, ...]
    success: int
    secured: bool
    source: Source
    documented: tuple[int, ...] | None
    """The statuses its source tells of, when those of the error entries are not about it."""
    query: RequestSchema | None
    """The query parameters, as one object."""
    body: RequestSchema | FormSchema | None
    max_body: int | None
    """Bytes a request body may have."""
    act: Act | None
    reader: Reader | None
    embedding: Expression | None
    """How many dimensions the vectors have that it makes instead of a completion."""
    facts: Mapping[str, Template]
    """Computed once an exchange, before the reply: `id`, `created`."""
    shape: Template | None
    stream: StreamPlan | None
    context: ContextPolicy
    example: Any
    """Of the reply, as the spec shows it."""
    examples: RequestExamples
    refusals: tuple[RefusalName, ...]
    """Every refusal a request to this operation can meet."""
    parts: Mapping[str, str]
    """Section -> the name under it that the operation uses: `read`, `shapes`, `streams`."""
    groups: Callable[[], Mapping[str, tuple[Source, str]]]
    """Where the keys of its bodies come from: a schema, or schema and property -> source, `file:line`."""
    where: str
    """`file:line` in the spec."""

    def graded(self, status: int, grade: Grade) -> Grade:
        """How well it is known that it answers a status, when the provider is known so well to answer it at all."""
        told = self.source.grade != "assumed" if self.documented is None else status in self.documented
        return grade if told or grade != "documented" else "assumed"

    @property
    def example_path(self) -> str:
        """The path with the example of each of its parameters."""
        path = self.path
        for name, example in self.examples.path.items():
            path = path.replace(f"{{{name}}}", example)
        return path

    @cached_property
    def routed(self) -> Note:
        """What the trace of a request says that came here."""
        return "route", self.id, {"grade": self.source.grade}
