"""A completion as a stream, one event after another: as events that are bent afterwards, or as frames at once."""

from typing import Any

from emulator.exchange import Exchange, Frame
from emulator.mechanisms.encoding import Encoding
from emulator.mechanisms.events import Event, EventKind
from emulator.mechanisms.tokens import pieces
from emulator.operation import StreamPlan
from emulator.wire.framing import FRAMINGS

_MARK = b"\x00here\x00"
_MOST_JOINED = 65536
"""Bytes of events that are joined; a client that reads no more is noticed between the writes."""


class EventWriter:
    """Writes the events of a stream, each with the time before it."""

    def __init__(self, ex: Exchange, plan: StreamPlan) -> None:
        self.ex = ex
        self.plan = plan
        self.events: list[Event] = []
        self.begun = False

    def write(self) -> None:
        """Every event the plan has a template for, in the order of the completion."""
        ex, plan = self.ex, self.plan
        assert ex.completion is not None and ex.request is not None
        self.one("open")
        for choice in ex.completion["choices"]:
            self.one("role", choice=choice)
            self.pieces("content", pieces(choice["text"] or "", plan.spaces, plan.blanks))
            for index, call in enumerate(choice["tool_calls"] or []):
                self.one("tool_call", call={**call, "index": index})
                self.pieces("arguments", pieces(call["arguments"]))
            self.one("finish")
        if plan.usage == "always" or (plan.usage == "on_request" and ex.request["include_usage"]):
            self.one("usage")
        self.one("close")
        if plan.terminator is not None:
            self.add("done", plan.terminator, 0.0)
        self.one("trailer")  # some send one more after the end, which clients that stop there never read

    def one(self, kind: EventKind, **variables: Any) -> None:
        """An event of a kind, if the plan has such."""
        for name, value in variables.items():
            self.ex.scope[name] = value
        template = self.plan.events.get(kind)
        if template is None:
            return
        delay = self.delay()
        if self.ex.timing is not None:
            self.ex.scope["timing"] = self.ex.timing.facts
        self.add(kind, template.render(self.ex.scope), delay)

    def pieces(self, kind: EventKind, texts: list[str]) -> None:
        """An event for each piece of a text."""
        for text in texts:
            self.one(kind, piece=text)

    def add(self, kind: str, data: Any, delay: float) -> None:
        """Write one event, so many seconds after the one before."""
        self.events.append(Event(kind, data, delay))

    def delay(self) -> float:
        """Seconds before the next event."""
        timing, begun, self.begun = self.ex.timing, self.begun, True
        if timing is None:
            return self.plan.gap if begun else self.plan.first_event
        assert self.ex.request is not None
        return timing.gap() if begun else timing.first_token(self.ex.request["prompt_tokens"])


class FrameWriter(EventWriter):
    """Writes the frames of a stream that nothing bends: what its pieces share is rendered and framed once."""

    def __init__(self, ex: Exchange, plan: StreamPlan, *, joined: bool) -> None:
        """`joined`: nothing needs the events apart, so they come in as few writes as a connection takes well."""
        super().__init__(ex, plan)
        self.frames: list[Frame] = []
        self.joined = joined
        self._parts: list[bytes] = []
        """Of a stream that is joined."""
        self._at = self._due = 0.0

    def write(self) -> None:
        super().write()
        if self.joined:
            whole = b"".join(self._parts)
            self.frames = [Frame(0.0, whole[i : i + _MOST_JOINED]) for i in range(0, len(whole), _MOST_JOINED)]

    def pieces(self, kind: EventKind, texts: list[str]) -> None:
        template, encoding = self.plan.events.get(kind), self.plan.encoding
        around = template.around(self.ex.scope, "piece", encoding.dumps) if template and texts else None
        if around is None:
            super().pieces(kind, texts)
            return
        framed = FRAMINGS[self.plan.framing](Event(kind, _MARK.join(around)), encoding)
        before, after = framed.split(_MARK)
        before, after = before + b'"', b'"' + after
        written, delays = _unquoted(texts, encoding), self._delays(len(texts))
        if self.joined:
            self._parts += before, (after + before).join(written), after
            return
        at, due, pace, frames = self._at, self._due, self.ex.runtime.pace, self.frames
        for number, (text, delay) in enumerate(zip(written, delays, strict=True), len(frames)):
            at += delay * pace
            due += delay
            frames.append(Frame(at, before + text + after, number, due))
        self._at, self._due = at, due

    def add(self, kind: str, data: Any, delay: float) -> None:
        self._push(FRAMINGS[self.plan.framing](Event(kind, data), self.plan.encoding), delay)

    def _delays(self, count: int) -> list[float]:
        """The times before so many events."""
        if self.begun and self.ex.timing is None:
            return [self.plan.gap] * count
        return [self.delay() for _ in range(count)]

    def _push(self, data: bytes, delay: float) -> None:
        if self.joined:
            self._parts.append(data)
            return
        self._at += delay * self.ex.runtime.pace
        self._due += delay
        self.frames.append(Frame(self._at, data, len(self.frames), self._due))


def _unquoted(texts: list[str], encoding: Encoding) -> list[bytes]:
    """Texts as they stand between the quotes of JSON; at once where none but those are quotes."""
    whole = encoding.dumps(texts)
    if b"\\" not in whole:
        return whole[2:-2].split(encoding.dumps(["", ""])[2:-2])
    return [encoding.dumps(text)[1:-1] for text in texts]
