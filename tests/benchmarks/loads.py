"""Load from one thread on the load's CPU, bounded in count and in time."""

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import tools
from .machine import CACHE, Call, Failed, Server, environment

# Calls in turn; {N} in a body is the number of the request, for names that must not come twice.
_SCRIPT = """
local calls, headers, n = {%s}, {%s}, %d
if #calls == 1 then
  wrk.method, wrk.path, wrk.body, wrk.headers = calls[1][1], calls[1][2], calls[1][3], headers
else
  request = function()
    n = n + 1
    local call = calls[n %% #calls + 1]
    return wrk.format(call[1], call[2], headers, (call[3]:gsub("{N}", n)))
  end
end
function done(summary, latency, requests)
  local e = summary.errors
  local failures = e.status + e.connect + e.read + e.write + e.timeout
  io.write(string.format('DONE{"requests":%%d,"us":%%d,"failures":%%d,"p50":%%d,"p99":%%d}\\n', summary.requests,
    summary.duration, failures, latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Requests:
    """What came of a closed loop of requests; latencies in milliseconds."""

    count: int
    rate: float
    p50: float
    p99: float
    failures: int
    late: int = 0


def requests(server: Server, calls: Sequence[Call], connections: int, seconds: float, first: int = 0) -> Requests:
    """Calls in turn for some seconds; `{N}` in a body counts up from `first`. Raises Missing, Failed."""
    wrk, env = tools.wrk()
    script = CACHE / "load.lua"
    listed = ", ".join(
        f"{{{json.dumps(c.method)}, {json.dumps(c.path)}, {json.dumps(c.body.decode())}}}" for c in calls
    )
    headers = ", ".join(f"[{json.dumps(name)}] = {json.dumps(value)}" for name, value in calls[0].headers)
    script.write_text(_SCRIPT % (listed, headers, first), encoding="utf-8")
    command = [wrk, "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "10s", "-s", str(script)]
    done = subprocess.run(  # noqa: S603
        [*command, f"http://127.0.0.1:{server.port}/"],
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=seconds + 60,
    )
    found = re.search(r"DONE(\{.*\})", done.stdout)
    if not found:
        raise Failed(f"wrk: {(done.stdout + done.stderr)[-300:]}")
    said = json.loads(found[1])
    if not said["requests"]:
        raise Failed("nothing was answered in time")
    rate = said["requests"] / (said["us"] / 1e6)
    return Requests(said["requests"], rate, said["p50"] / 1000, said["p99"] / 1000, said["failures"])


@dataclass(frozen=True)
class Streams:
    """What came of a number of streams; `first` is the p50 of the first event, `span_…` that of the last behind it."""

    rate: float
    count: int
    """Events in all."""
    events: float
    """Events a second."""
    first: float
    span_p50: float
    span_p99: float
    events_each: float
    failures: int
    late: int
    """Those that were not over in time."""


def streams(
    server: Server, call: Call, connections: int, count: int, *, seconds: float, ramp: float = 0, gap: float = 0
) -> Streams:
    """A number of replies, streams or not, times in milliseconds; begun over `ramp`. Raises Missing."""
    body = CACHE / "body.json"
    body.write_bytes(call.body)
    command = [tools.sseload(), "--port", str(server.port), "--path", call.path, "--body-file", str(body)]
    command += ["--conc", str(connections), "--streams", str(count), "--max-seconds", f"{seconds:g}"]
    command += ["--ramp-ms", f"{ramp:.0f}", "--gap-us", f"{gap * 1000:.0f}"]
    for name, value in call.headers:
        if name != "Content-Type":  # it sends its own
            command += ["--header", f"{name}: {value}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)  # noqa: S603
    if done.returncode:
        raise Failed(f"sseload: {done.stderr[-300:]}")
    said: dict[str, Any] = json.loads(done.stdout)
    return Streams(
        rate=said["streams_per_s"],
        count=said["events"],
        events=said["events_per_s"],
        first=said["ttft_ms"]["p50"],
        span_p50=said["span_ms"]["p50"],
        span_p99=said["span_ms"]["p99"],
        events_each=said["events_per_stream"]["p50"],
        failures=said["errors"] + said["non2xx"],
        late=count - said["done"],
    )
