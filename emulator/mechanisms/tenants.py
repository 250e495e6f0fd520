"""Names of tenants: what they are made of, and how paths and keys carry them."""

import re

DEFAULT_TENANT = "default"
TENANT_NAMES = "letters, digits, `_`, `.` and `-`"
"""What the name of a tenant is made of, as paths and keys carry it."""
_FIT = "A-Za-z0-9_.-"
_IN_PATH = re.compile(rf"/~([{_FIT}]+)(?=/|$)")
_IN_KEY = re.compile(rf"(.*)~([{_FIT}]+)", re.DOTALL)
_UNFIT = re.compile(rf"[^{_FIT}]+")


def split_tenant(path: str) -> tuple[str | None, str]:
    """`/~blue/acme/v1` -> (`blue`, `/acme/v1`)."""
    match = _IN_PATH.match(path) if path.startswith("/~") else None
    return (match[1], path[match.end() :] or "/") if match else (None, path)


def split_key(key: str) -> tuple[str, str | None]:
    """`acme-1~blue` -> (`acme-1`, `blue`); a key that ends in no name of a tenant is whole."""
    match = _IN_KEY.fullmatch(key) if "~" in key else None
    return (match[1], match[2]) if match is not None else (key, None)


def fit_tenant(name: str) -> str:
    """A tenant's name that paths and keys can carry: this one, if they can."""
    return name if name and not _UNFIT.search(name) else _UNFIT.sub("-", name).strip("-") or "blue"
