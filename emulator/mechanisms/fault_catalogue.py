"""The catalogue of faults: every way a reply can go wrong on demand, and what each stands for.

The fixture language, the control API's schema, the command line and the README's table are all made from it.
"""

from collections.abc import Mapping
from typing import Any

from emulator.mechanisms import entrances
from emulator.mechanisms.faults import Argument, Fault, FaultKind

_BYTES = Argument("count", "bytes of the body that still arrive; 0: the head alone")
_EVENTS = Argument("count", "events of a stream that still arrive")
_AFTER = Argument("duration", "how long the connection stays silent before that", 0.0)
_TIME = Argument("moment", "time of the stream, as at pace 1: what is due until then still arrives")
_AT = Argument(
    "event",
    "the number of an event, counted from 0 (or from the end, below 0), a kind of events, or a time of the stream as "
    "at pace 1 (`2s`): the first event that is due later",
    1,
)
_HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>\n"
_SORRY = "I'm sorry, but I can't help with that."

_CONNECTION = (
    FaultKind(
        "reset",
        "connection",
        "the connection is reset (RST): instead of a reply, or after so much of it",
        "a server that crashes, a load balancer that drops its connections",
        {"after_bytes": _BYTES, "after_events": _EVENTS, "after_time": _TIME, "after": _AFTER},
    ),
    FaultKind(
        "close",
        "connection",
        "the connection is closed (FIN): instead of a reply (an empty one), or after so much of it",
        "a worker that is restarted, a keep-alive that runs out just as a request is sent",
        {"after_bytes": _BYTES, "after_events": _EVENTS, "after_time": _TIME, "after": _AFTER},
    ),
    FaultKind(
        "hang",
        "connection",
        "nothing comes, or nothing more after so much of the reply; the connection closes when the time is over",
        "a deadlocked backend behind a proxy that waits: what read timeouts are for",
        {
            "after_bytes": _BYTES,
            "after_events": _EVENTS,
            "after_time": _TIME,
            "duration": Argument("duration", "how long nothing comes", 30.0),
        },
    ),
    FaultKind(
        "stalled_headers",
        "connection",
        "the head stops in the middle; the rest, and the body, come when the time is over, and the connection stays",
        "an overloaded gateway: time to first byte looks fine, and then nothing moves",
        {
            "at_byte": Argument("count", "bytes of the head that come at once", 20),
            "duration": Argument("duration", "how long the head stands still", 5.0),
        },
    ),
)

_FRAMING = (
    FaultKind(
        "garbage",
        "framing",
        "bytes that are not HTTP, instead of a reply or behind its status line",
        "a TLS or another protocol's port behind a plain address, a corrupted proxy buffer",
        {
            "data": Argument("text", "what is sent", "\x00\x01 not HTTP"),
            "status_line": Argument("flag", "whether the status line comes first, whole", False),
        },
    ),
    FaultKind(
        "content_length_too_long",
        "framing",
        "Content-Length promises more than comes, then the connection closes",
        "a body that a proxy changed without counting it anew",
        {"by": Argument("count", "bytes that never come", 10, 10**6)},
    ),
    FaultKind(
        "content_length_too_short",
        "framing",
        "Content-Length promises less than comes: the body is cut, and its end lies on the connection, which closes, "
        "as the head says",
        "characters counted for bytes, a rewritten body",
        {"by": Argument("count", "bytes too many", 10, 10**6)},
    ),
    FaultKind(
        "conflicting_lengths",
        "framing",
        "two Content-Length headers that differ: the first is right, the second promises more; the connection closes, "
        "as the head says",
        "two proxies that each count; some clients refuse such a reply, others believe the first or the last",
        {"by": Argument("count", "how much more the second says; 0 counts as 1", 10, 10**6)},
    ),
    FaultKind(
        "bad_chunk_size",
        "framing",
        "a chunk whose size is no number, then the connection closes",
        "a proxy that mixes up two connections",
        {
            "after_events": Argument("count", "chunks before it", 1),
            "size": Argument("text", "what stands where the size belongs", "zz"),
        },
    ),
    FaultKind(
        "truncated_gzip",
        "framing",
        "a whole reply whose gzip data ends too early",
        "a compressing proxy that loses its upstream and closes the reply properly",
        {"missing": Argument("count", "bytes of gzip data that are left out", 12, 10**6)},
    ),
    FaultKind(
        "huge_header",
        "framing",
        "a header too large for most clients, before a reply that is right",
        "cookies or tracing headers that pile up hop by hop",
        {
            "name": Argument("text", "the header's name", "x-padding"),
            "bytes": Argument("count", "its size", 131_072, 8 * 1024 * 1024),
        },
    ),
    FaultKind(
        "duplicate_headers",
        "framing",
        "every header, or the one named, comes twice, the second time with another value if one is given",
        "two proxies that each add what they think is missing",
        {
            "name": Argument("text", "the header that comes twice; without it all do"),
            "value": Argument("text", "what the second one of that name says; for lengths, see conflicting_lengths"),
        },
    ),
    FaultKind(
        "wrong_content_type",
        "framing",
        "a reply that is right, under another media type",
        "a gateway that labels everything alike",
        {"value": Argument("text", "the media type", "text/plain; charset=utf-8")},
    ),
    FaultKind(
        "html_gateway_page",
        "framing",
        "a page of HTML with status 200 instead of the reply, also instead of a stream",
        "a captive portal, a login page, a gateway that hides its 502",
        {"html": Argument("text", "the page", _HTML)},
    ),
    FaultKind(
        "retry_after",
        "framing",
        "Retry-After in another form: seconds, an HTTP date, `retry-after-ms`, nonsense, or not at all",
        "gateways of every kind: clients that know one form wait too long, too short, or crash",
        {
            "form": Argument("form", "which one", "seconds"),
            "after": Argument("wait", "how long to wait; without it what the reply says by itself, or a second"),
        },
    ),
    FaultKind(
        "slow_body",
        "framing",
        "the head at once, the body a few bytes at a time",
        "a congested link, a throttling proxy: no read ever times out, and the reply takes minutes",
        {
            "bytes": Argument("count", "bytes at a time; 0 counts as 1", 1),
            "gap": Argument("duration", "the pause between them", 0.01),
        },
    ),
)

_STREAM = (
    FaultKind(
        "cut",
        "stream",
        "the stream stops and the connection closes without the end that HTTP asks for",
        "a model server that is shut down or runs out of memory while it writes",
        {
            "after_events": Argument("count", "events that still arrive; none, where nothing else says how much"),
            "after_bytes": Argument("count", "bytes that still arrive"),
            "after_time": _TIME,
        },
    ),
    FaultKind(
        "stall",
        "stream",
        "a silence before an event, then the stream goes on",
        "a model that is preempted, a queue between two tokens; `hang` is the one that never goes on",
        {"at_event": _AT, "duration": Argument("duration", "how long nothing comes", 30.0)},
    ),
    FaultKind(
        "error_event",
        "stream",
        "the provider's error body as an event of a stream that began with 200, and the end",
        "an overload that shows after the first tokens",
        {
            "after_events": Argument("count", "events before it; none, where nothing else says so"),
            "after_time": _TIME,
            "refuse": Argument("refusal", "whose body it is", "server_error"),
            "event": Argument("text", "its `event:` line"),
        },
    ),
    FaultKind(
        "no_finish_reason",
        "stream",
        "the stream ends properly, and no event ever gives a finish reason",
        "a backend that died behind a gateway which ends the stream for it",
    ),
    FaultKind(
        "no_terminator",
        "stream",
        "a finish reason, and then the end without the terminator ([DONE], or the closing event)",
        "a gateway that ends a stream at the last event it understands",
    ),
    FaultKind(
        "no_usage",
        "stream",
        "the event with the usage is missing",
        "a gateway that does not pass on what it does not know: costs are booked as zero",
    ),
    FaultKind(
        "repeated_usage",
        "stream",
        "the event with the usage comes several times",
        "retries within a gateway: costs are booked twice",
        {"times": Argument("count", "how many times too often", 1, 1000)},
    ),
    FaultKind(
        "duplicate_event",
        "stream",
        "an event comes twice",
        "at-least-once delivery in the middle: words are doubled",
        {"at_event": _AT},
    ),
    FaultKind(
        "reordered_events",
        "stream",
        "an event and the next one change places",
        "a gateway that handles events in parallel",
        {"at_event": _AT},
    ),
    FaultKind(
        "unknown_event",
        "stream",
        "an event of a kind nobody told of, before one that is right",
        "a provider that adds to its protocol",
        {
            "at_event": _AT,
            "event": Argument("text", "its `event:` line", "notice"),
            "data": Argument("text", "its data", '{"type":"notice"}'),
        },
    ),
    FaultKind(
        "empty_event",
        "stream",
        "an event with empty data, before one that is right",
        "keep-alives that are sent as data",
        {"at_event": _AT},
    ),
    FaultKind(
        "malformed_json",
        "stream",
        "the JSON of one event lacks its last character; the events around it are right",
        "a proxy that cuts at its buffer's size",
        {"at_event": _AT},
    ),
    FaultKind(
        "comment_storm",
        "stream",
        "very many comments (empty lines, where the format has none) before an event",
        "keep-alives during a long wait for a model: a client must neither show nor count them",
        {
            "at_event": _AT,
            "count": Argument("count", "how many", 1000, 100_000),
            "text": Argument("text", "what they say", "keep-alive"),
        },
    ),
    FaultKind("crlf", "stream", "every line of the stream ends in CRLF", "another framework behind the same address"),
    FaultKind(
        "one_packet",
        "stream",
        "many events arrive at once, when the last of them is due",
        "a buffering proxy",
        {
            "at_event": Argument("event", "the first of them", 0),
            "count": Argument("count", "how many; without it all that follow"),
        },
    ),
    FaultKind(
        "split_event",
        "stream",
        "one event arrives in two packets, with a pause between them",
        "packets that end where they like",
        {
            "at_event": _AT,
            "at_byte": Argument("count", "bytes of the event in the first packet", 10),
            "gap": Argument("duration", "the pause", 0.02),
        },
    ),
    FaultKind(
        "split_character",
        "stream",
        "a character of several UTF-8 bytes is torn by the end of a packet (an answer without any gets one)",
        "packets that end where they like: clients that decode each one by itself show nonsense",
        {"gap": Argument("duration", "the pause between the packets", 0.02)},
    ),
    FaultKind(
        "not_a_stream",
        "stream",
        "a stream was asked for, and one JSON body comes",
        "a gateway or a model that cannot stream and does not say so",
    ),
)

_CONTENT = (
    FaultKind(
        "truncated_json",
        "content",
        "structured output that ends in the middle",
        "max_tokens reached inside the JSON",
        {"finish_reason": Argument("text", "the finish reason it comes with", "length")},
    ),
    FaultKind(
        "schema_violation",
        "content",
        "structured output that is JSON and breaks exactly one rule of its schema",
        "models that obey a schema nearly always",
        {"rule": Argument("text", "the keyword that is broken (required, type, enum, …); without it the seed chooses")},
    ),
    FaultKind(
        "unknown_tool",
        "content",
        "a call of a tool that the request does not have",
        "models that make tools up",
        {"name": Argument("text", "the tool's name", "unknown_tool")},
    ),
    FaultKind(
        "unparsable_arguments",
        "content",
        "a tool call whose arguments are no JSON: the last character is missing",
        "a call that is cut off, models that forget a brace",
    ),
    FaultKind(
        "arguments_violate_schema",
        "content",
        "a tool call whose arguments break exactly one rule of the tool's parameters",
        "models that leave out a required argument",
        {"rule": Argument("text", "the keyword that is broken; without it the seed chooses")},
    ),
    FaultKind("no_choices", "content", "an empty list of choices", "a filter that removes every candidate"),
    FaultKind("null_content", "content", "the content is null", "a reasoning model that spent its tokens on thinking"),
    FaultKind(
        "refusal",
        "content",
        "the model declines in words, whatever was asked for; the finish reason is `stop`",
        "safety training: text where JSON or a tool call was expected",
        {"text": Argument("text", "its words", _SORRY)},
    ),
    FaultKind(
        "content_filter",
        "content",
        "the text ends after a few words with the finish reason `content_filter`",
        "a provider's filter that stops an answer while it is written",
        {"words": Argument("count", "words before it", 3)},
    ),
)

FAULTS: dict[str, FaultKind] = {
    kind.name: kind for kind in (*entrances.FAULTS, *_CONNECTION, *_FRAMING, *_STREAM, *_CONTENT)
}
OF_CONNECTIONS = [kind.name for kind in FAULTS.values() if kind.before_requests]
OF_REQUESTS = [kind.name for kind in FAULTS.values() if not kind.before_requests]


def fault(name: str, arguments: Mapping[str, Any], *, paced: bool = False) -> Fault:
    """The fault of a name, with the defaults of what is not given. Raises KeyError for a name that is none."""
    kind = FAULTS[name]
    known = {key: argument.default for key, argument in kind.arguments.items() if argument.default is not None}
    return Fault(kind, {**known, **arguments}, paced)
