"""The closed set of reasons not to serve a request.

A refusal has a name and nothing else: which status, headers and body it becomes is the provider's
business and stands in its error catalogue.
"""

from typing import Literal, get_args

RefusalName = Literal[
    "unknown_route",
    "method_not_allowed",
    "missing_credentials",
    "invalid_credentials",
    "expired_credentials",
    "forbidden",
    "malformed_json",
    "unsupported_media_type",
    "invalid_request",
    "body_too_large",
    "unknown_model",
    "context_overflow",
    "rate_limited",
    "quota_exhausted",
    "insufficient_credit",
    "not_found",
    "conflict",
    "illegal_state",
    "in_use",
    "out_of_stock",
    "server_error",
    "bad_gateway",
    "unavailable",
    "gateway_timeout",
]

REFUSALS: tuple[RefusalName, ...] = get_args(RefusalName)
