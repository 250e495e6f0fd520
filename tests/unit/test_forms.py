"""Forms by another convention than PHP's: repeated names, fields of text with types, bodies that are refused."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from emulator import Emulation

PROVIDER = """\
id: album
extends: openai_compatible
spec: album.yaml
origin: https://api.album.test
sources: {invented: {ref: nowhere, grade: assumed}}
body: {media_types: {png: image/png}}
resources:
  photo:
    source: invented
    id: "pho-${hex(6)}"
    unique: [name]
    fields: {name: "${body.filename}", bytes: "${body.size}", type: "${body.content_type}"}
operations:
  createPhotos:
    source: invented
    max_body: 1000
    act: {resource: photo, verb: create, each: body.photos}
    shape: photos
  listPhotos:
    source: invented
    act: {resource: photo, verb: list, newest_first: true, page: {cursor: query.from, size: query.limit, default: 2}}
    shape: photos
shapes:
  photos:
    album: "${body.album}"
    stars: "${body.stars}"
    next: "${page.next}"
    back: "${page.previous}"
    total: "${page.total}"
    photos: {$each: item in items, $give: {name: "${item.name}", bytes: "${item.bytes}", type: "${item.type}"}}
errors:
  catalog:
    malformed_json: {status: 400, source: invented, error: {message: "no form: ${fact.reason}"}}
    unsupported_media_type: {status: 415, source: invented, error: {message: "${fact.media_type}"}}
    body_too_large: {status: 413, source: invented, error: {message: "${fact.size} of ${fact.limit}"}}
    conflict: {status: 409, source: invented, error: {message: "${fact.field}"}}
"""
SPEC = """\
openapi: 3.1.0
info: {title: Album, version: "1"}
servers: [{url: https://api.album.test}]
paths:
  /photos:
    get:
      operationId: listPhotos
      parameters: [{name: from, in: query, schema: {type: string}}, {name: limit, in: query, schema: {type: integer}}]
      responses: {"200": {description: Photos}, "400": &error {description: Error}, "500": *error}
    post:
      operationId: createPhotos
      requestBody: {required: true, content: {multipart/form-data: {schema: {$ref: "#/components/schemas/Upload"}}}}
      responses:
        {"200": {description: Photos}, "400": *error, "409": *error, "413": *error, "415": *error, "500": *error}
components:
  schemas:
    Upload:
      type: object
      required: [photos]
      properties:
        photos: {type: array, items: {$ref: "#/components/schemas/Photo"}}
        album: {type: string, maxLength: 9}
        stars: {type: integer, maximum: 5}
        cover: {$ref: "#/components/schemas/Photo"}
    Photo: {type: string, format: binary}
"""
Upload = list[tuple[str, Any]]


@pytest.fixture
def client(invented: Callable[[str, str, str], Emulation], request: pytest.FixtureRequest) -> Any:
    policy = getattr(request, "param", "body: {")
    emulation = invented("album", PROVIDER.replace("body: {", policy), SPEC)
    with httpx.Client(base_url=emulation["album"].origin) as client:
        yield client


def photo(name: str, field: str = "photos") -> tuple[str, Any]:
    return field, (name, b"x", None)


def field(name: str, text: str) -> tuple[str, Any]:
    return name, (None, text.encode(), None)


def error(reply: httpx.Response) -> str:
    return f"{reply.status_code} {reply.json()['error']['message']}"


def test_a_repeated_name_is_a_list_and_text_has_its_type(client: httpx.Client) -> None:
    files = [photo("a.png"), photo("b.bin"), field("album", "Alps"), field("stars", "3"), field("stars", "4")]
    told = client.post("photos", files=files).json()
    assert (told["album"], told["stars"]) == ("Alps", 4)
    assert told["photos"] == [
        {"name": "a.png", "bytes": 1, "type": "image/png"},
        {"name": "b.bin", "bytes": 1, "type": "application/octet-stream"},
    ]


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ([field("stars", "many")], "stars"),
        ([field("stars", "6")], "stars"),
        ([field("album", "Mont Blanc")], "album"),
        ([photo("a.txt", "album")], "album"),
        ([field("cover", "a.png")], "cover"),
        ([field("photos", "a.png")], "photos"),
        ([photo("a.png", "cover"), field("filename", "x"), field("content_type", "y")], None),
    ],
)
def test_texts_and_files_have_their_places(client: httpx.Client, extra: Upload, named: str | None) -> None:
    reply = client.post("photos", files=[photo("a.png"), *extra])
    assert reply.status_code == (400 if named else 200)
    assert named is None or named in error(reply)


def test_of_several_bodies_all_become_resources_or_none(client: httpx.Client) -> None:
    assert error(client.post("photos", files=[photo("a.png"), photo("b.png"), photo("a.png")])) == "409 name"
    assert client.get("photos").json()["photos"] == []
    assert client.post("photos", files=[photo("a.png"), photo("b.png")]).status_code == 200


def test_pages_from_the_newest(client: httpx.Client) -> None:
    client.post("photos", files=[photo(f"{n}.png") for n in range(3)])
    first = client.get("photos").json()
    client.post("photos", files=[photo("3.png")])
    second = client.get("photos", params={"from": first["next"]}).json()
    back = client.get("photos", params={"from": second["back"], "limit": 1}).json()
    names = [[one["name"] for one in page["photos"]] for page in (first, second, back)]
    assert names == [["2.png", "1.png"], ["0.png"], ["1.png"]]
    assert (first["back"], second["next"], first["total"], second["total"]) == (None, None, 3, 4)


MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}


def test_what_is_no_form_is_refused_with_the_reason(client: httpx.Client) -> None:
    assert error(client.post("photos", content=b"--x", headers=MULTIPART)) == "400 no form: a part without headers"
    assert error(client.post("photos", content=b"", headers=MULTIPART)) == "400 no form: the last boundary is missing"
    assert error(client.post("photos", json={"photos": []})) == "400 no form: no boundary"


@pytest.mark.parametrize("client", ["body: {other_media_type: refuse, "], indirect=True)
def test_or_its_type_is(client: httpx.Client) -> None:
    assert error(client.post("photos", json={"photos": []})) == "415 application/json"


def test_a_body_has_a_largest_size(client: httpx.Client) -> None:
    reply = client.post("photos", content=b"x" * 1001, headers=MULTIPART)
    assert error(reply) == "413 1001 of 1000"
