"""Paths to operations: exact before templated, slashes, parameters, methods."""

import gc
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.mechanisms.router import Router

ROUTES = [
    ("GET", "/v1/files/{id}", "get"),
    ("DELETE", "/v1/files/{id}", "delete"),
    ("GET", "/v1/files/all", "all"),
    ("GET", "/v1/{kind}/all", "kinds"),
    ("GET", "/v1/files/{id}/parts/{part-number}", "part"),
    ("POST", "/v1/files", "create"),
    ("GET", "/v1/a.b/{x}", "dotted"),
]


def found(path: str, method: str = "GET", *, either_slash: bool = False) -> tuple[str | None, dict[str, str]] | None:
    match = Router(ROUTES, either_slash=either_slash).match(method, path)
    return None if match is None else (match.operation, match.params)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/files/all", ("all", {})),
        ("/v1/files/17", ("get", {"id": "17"})),
        ("/v1/things/all", ("kinds", {"kind": "things"})),
        ("/v1/files/17/parts/2", ("part", {"id": "17", "part-number": "2"})),
        ("/v1/files/a b%20ü", ("get", {"id": "a b%20ü"})),
        ("/v1/a.b/c", ("dotted", {"x": "c"})),
        ("/v1/aXb/c", None),
        ("/v1/files/", None),
        ("/v1/files/17/", None),
        ("/v1/files/17/parts", None),
        ("/V1/files/all", None),
        ("/v1/files/all/more", None),
        ("", None),
        ("/", None),
    ],
)
def test_static_before_templated(path: str, expected: tuple[str, dict[str, str]] | None) -> None:
    assert found(path) == expected


@pytest.mark.parametrize("order", [ROUTES, ROUTES[::-1]])
def test_the_order_of_declaration_does_not_matter(order: list[tuple[str, str, str]]) -> None:
    match = Router(order, either_slash=False).match("GET", "/v1/files/all")
    assert match is not None
    assert match.operation == "all"


@pytest.mark.parametrize("path", ["/v1/files/17", "/v1/files/all"])
def test_an_unknown_method_names_the_known_ones(path: str) -> None:
    match = Router([*ROUTES, ("DELETE", "/v1/files/all", "clear")], either_slash=False).match("PATCH", path)
    assert match is not None
    assert (match.operation, match.allowed) == (None, ("DELETE", "GET"))


def test_methods_compare_without_case() -> None:
    assert found("/v1/files", "post") == ("create", {})
    assert found("/v1/files/17", "delete") == ("delete", {"id": "17"})


@pytest.mark.parametrize("path", ["/v1/files", "/v1/files/", "/v1/files//"])
def test_either_slash(path: str) -> None:
    assert found(path, "POST", either_slash=True) == ("create", {})
    assert found(f"/v2{path}", "POST", either_slash=True) is None


def test_either_slash_of_a_path_that_is_declared_with_one() -> None:
    router = Router([("POST", "/chat/", "chat"), ("GET", "/", "root")], either_slash=True)
    for path in ("/chat", "/chat/"):
        match = router.match("POST", path)
        assert match is not None
        assert match.operation == "chat"
    root = router.match("GET", "/")
    assert root is not None
    assert root.operation == "root"


@given(st.text(max_size=30))
@settings(deadline=None)
def test_a_parameter_is_one_whole_segment(value: str) -> None:
    expected = ("all", {}) if value == "all" else ("get", {"id": value})
    assert found(f"/v1/files/{value}") == (expected if value and "/" not in value else found(f"/v1/files/{value}"))
    if "/" in value:
        match = found(f"/v1/files/{value}")
        assert match is None or match[0] in ("part", "kinds")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/a", "exact"),
        ("/v1/b", "whole"),
        ("/v1/b.json", "ending"),
        ("/v1/a:b", "pair"),
        ("/v1/b.json/parts", "parts of the ending"),
        ("/v1/b/parts", "parts"),
    ],
)
def test_holes_beside_text_in_a_segment(path: str, expected: str) -> None:
    templates = {
        "/v1/{x}": "whole", "/v1/a": "exact", "/v1/{p}.json": "ending", "/v1/{p}:{q}": "pair",
        "/v1/{x}/parts": "parts", "/v1/{p}.json/parts": "parts of the ending",
    }  # fmt: skip
    match = Router([("GET", path, name) for path, name in templates.items()], either_slash=False).match("GET", path)
    assert match is not None
    assert match.operation == expected


@pytest.mark.parametrize("path", ["/v1/kind7/17", "/v1/kind7/all", "/v1/nothing/17"])
def test_a_route_costs_the_same_among_many(path: str) -> None:
    """Counted: what is called to find one of 10 kinds of paths, and one of 2,000."""

    def calls(kinds: int) -> int:
        routes = [("GET", f"/v1/kind{i}/{end}", f"{end} {i}") for i in range(kinds) for end in ("{id}", "all")]
        router = Router(routes, either_slash=False)
        router.match("GET", path)
        count = 0

        def notice(*_: object) -> None:
            nonlocal count
            count += 1

        gc.disable()  # what is called when garbage is collected is not the router's
        sys.setprofile(notice)
        try:
            router.match("GET", path)
        finally:
            sys.setprofile(None)
            gc.enable()
        return count

    assert calls(10) == calls(1000)
