"""What the emulator itself has to say, so marked that nobody takes it for a provider's."""

import logging

import orjson

from emulator.exchange import Reply

log = logging.getLogger("emulator")


def own_reply(status: int, message: str, hint: str) -> Reply:
    """A reply of the emulator itself."""
    body = orjson.dumps({"emulator": {"message": message, "hint": hint}})
    headers = [
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        ("x-emulator-notice", "own reply"),
    ]
    return Reply(status=status, headers=headers, body=body)


def failure(asked: str) -> Reply:
    """The reply where the emulator itself is at fault; the error that is being handled goes to the log."""
    log.exception("%s could not be answered", asked)
    return own_reply(500, "the emulator failed on this request", "please report it with the log above")
