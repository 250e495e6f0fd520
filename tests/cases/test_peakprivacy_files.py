"""peakprivacy's files: uploads as HTTP clients make them, pages, deletions, and forms that are none."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import requests

from emulator import Emulation, EmulatorServer, Handle, make_runtime

from . import multipart
from .catalogue import Caller, caller
from .raw import RawReply, key_order, send

NEW = "peak-new-1"
MEGABYTE = 1024 * 1024
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
REQUIRED = {"files": ["The files field is required."]}


@pytest.fixture
def handle(emulator: Emulation) -> Handle:
    return emulator["peakprivacy"]


@pytest.fixture
def asking(handle: Handle) -> Caller:
    return caller(handle, "createFiles")


@pytest.fixture
def client(handle: Handle) -> Iterator[httpx.Client]:
    """Of an account that owns nothing."""
    with httpx.Client(base_url=f"{handle.base_url}/", headers={**handle.headers, "Api-token": NEW}) as client:
        yield client


def upload(client: httpx.Client, *names: str) -> list[dict[str, Any]]:
    reply = client.post("files", files=[("files[]", (name, f"This is {name}.".encode())) for name in names])
    assert reply.status_code == 200, reply.text
    made: list[dict[str, Any]] = reply.json()
    return made


def refused(reply: RawReply) -> Any:
    assert (reply.status, reply.json["message"]) == (400, "Validation error"), reply.text
    return reply.json["errors"]


class TestUpload:
    def test_several_files_are_told_in_order(self, client: httpx.Client) -> None:
        made = upload(client, "b.pdf", "a.txt", "Übersicht (1).csv")
        assert [key_order(one) for one in made] == [[(k, None) for k in ("id", "name", "ext", "size", "mimetype")]] * 3
        assert [(f["name"], f["ext"], f["size"], f["mimetype"]) for f in made] == [
            ("b.pdf", "pdf", 14, "application/pdf"),
            ("a.txt", "txt", 14, "text/plain"),
            ("Übersicht (1).csv", "csv", 27, "text/csv"),
        ]
        assert len({f["id"] for f in made}) == 3

    @pytest.mark.parametrize("media_type", ["application/octet-stream", "application/json"])
    def test_the_curl_line_of_the_page_uploads_json(self, asking: Caller, media_type: str) -> None:
        parts = [multipart.file("{}", name, media_type) for name in ("data1.json", "data2.json", "file3.json")]
        reply = asking.ask(body=multipart.form(parts))
        assert reply.status == 200
        assert [(f["ext"], f["size"], f["mimetype"]) for f in reply.json] == [("json", 2, "application/json")] * 3

    def test_with_requests_which_tells_no_type(self, handle: Handle) -> None:
        files = [("files[]", (name, b"\r\n--\0\xff")) for name in ("scan.PNG", "letter.docx", "x.pdf")]
        headers = {**handle.headers, "Api-token": NEW}
        reply = requests.post(f"{handle.base_url}/files", files=files, headers=headers, timeout=30)
        assert [(f["ext"], f["size"], f["mimetype"]) for f in reply.json()] == [
            ("png", 6, "image/png"),
            ("docx", 6, DOCX),
            ("pdf", 6, "application/pdf"),
        ]

    def test_a_type_that_tells_nothing_is_known_by_the_name(self, asking: Caller) -> None:
        body = multipart.form([multipart.file("x", "a.csv", "application/octet-stream")])
        assert asking.ask(body=body).json[0]["mimetype"] == "text/csv"

    def test_the_documented_400(self, asking: Caller) -> None:
        good, bad = multipart.file("x", "a.txt", "text/plain"), multipart.file("x", "data1.txt", "application/zip")
        assert asking.ask(body=multipart.form([bad])).body == (
            b'{"message":"Validation error","errors":{"files.0":["The data1.txt file must be with correct mimetype."]}}'
        )
        errors = refused(asking.ask(body=multipart.form([good, bad, good, multipart.file("x", "run.exe")])))
        assert errors == {
            "files.1": ["The data1.txt file must be with correct mimetype."],
            "files.3": ["The run.exe file must be with correct mimetype."],
        }

    def test_of_a_refused_upload_nothing_is_kept(self, client: httpx.Client) -> None:
        files = [("files[]", (name, b"x", None)) for name in ("a.txt", "a.zip")]
        assert client.post("files", files=files).status_code == 400
        assert client.get("files").json()["data"] == []

    @pytest.mark.parametrize(
        ("parts", "errors"),
        [
            ([], REQUIRED),
            ([multipart.file("x", "a.txt", name="other")], REQUIRED),
            ([multipart.file("", "")], REQUIRED),  # a browser's field in which nothing was chosen
            ([multipart.text("x")], {"files.0": ["The files.0 field must be a file."]}),
            ([multipart.text("x", "files")], {"files": ["The files field must be an array."]}),
            ([multipart.file("x", "a.txt", name="files")] * 2, {"files": ["The files field must be an array."]}),
            ([multipart.file("x", "a.txt", name="files[0]"), multipart.file("y", "b.txt", name="files[1]")], None),
        ],
        ids=["no part", "another name", "an empty field", "text", "one text", "without brackets", "numbered"],
    )
    def test_what_stands_in_the_field(self, asking: Caller, parts: list[bytes], errors: Any) -> None:
        reply = asking.ask(body=multipart.form(parts))
        assert reply.status == 200 if errors is None else refused(reply) == errors

    def test_a_folder_is_no_part_of_a_name(self, asking: Caller) -> None:
        body = multipart.form([multipart.file("x", r"C:\\docs\\a.txt"), multipart.file("x", "../../b.txt")])
        assert [one["name"] for one in asking.ask(body=body).json] == ["a.txt", "b.txt"]

    def test_a_used_up_subscription_stops_them(self, handle: Handle, asking: Caller) -> None:
        reply = asking.ask(key="used-up-1")
        assert (reply.status, reply.json) == (403, {"error": "Subscription amount limit has been reached"})
        assert caller(handle, "listFiles").ask(key="used-up-1").status == 200

    def test_the_same_upload_has_the_same_bytes_in_the_same_state(self) -> None:
        def once() -> bytes:
            with EmulatorServer(make_runtime(["peakprivacy"], pace=0)) as server:
                return caller(server.tenant()["peakprivacy"], "createFiles").ask().body

        assert once() == once()


class TestSize:
    def test_ten_megabytes(self, asking: Caller) -> None:
        reply = asking.ask(body=multipart.form([multipart.file(b"\r\n" * 5 * MEGABYTE, "long.txt", "text/plain")]))
        assert (reply.status, reply.json[0]["size"]) == (200, 10 * MEGABYTE)

    def test_the_documented_413(self, asking: Caller) -> None:
        most = asking.operation.max_body or 0
        empty = len(multipart.form([multipart.file("", "a.txt", "text/plain")]))
        whole = multipart.form([multipart.file(b"x" * (most - empty), "a.txt", "text/plain")])
        assert asking.ask(body=whole).status == 200
        reply = asking.ask(body=whole + b"x")
        assert (reply.status, reply.body) == (413, b'{"error":"Request Entity Too Large"}')

    def test_as_many_parts_as_are_read(self, asking: Caller) -> None:
        one = multipart.file("x", "a.txt", "text/plain")
        assert len(asking.ask(body=multipart.form([one] * 1000)).json) == 1000
        assert refused(asking.ask(body=multipart.form([one] * 1001))) == REQUIRED
        assert refused(asking.ask(body=multipart.form([multipart.text("")] * 100_000))) == REQUIRED


HELLO = multipart.file("Hello", "hello.txt", "text/plain")
WHOLE = multipart.form([HELLO])
LINE = f"--{multipart.BOUNDARY}".encode()
BROKEN = {
    "empty": b"",
    "no end": WHOLE[: -len(LINE) - 4],
    "cut in the file": WHOLE[: WHOLE.index(b"Hello") + 2],
    "cut in the head": WHOLE[: WHOLE.index(b"filename")],
    "another boundary": WHOLE.replace(LINE, b"--another"),
    "a boundary with a tail": WHOLE.replace(LINE + b"\r\n", LINE + b"x\r\n"),
    "no headers": multipart.form([LINE + b"\r\n\r\nHello"]),
    "no name": multipart.form([multipart.part("x", 'Content-Disposition: form-data; filename="a.txt"')]),
    "another disposition": multipart.form([multipart.part("x", 'Content-Disposition: attachment; name="files[]"')]),
    "a head without end": multipart.form([multipart.part("x", "X: " + "x" * 100_000)]),
    "no line ends": WHOLE.replace(b"\r\n", b"\n"),
    "JSON": b'{"files": ["Hello"]}',
    "10 MB of junk": b"x" * 10 * MEGABYTE,
    "10 MB of boundaries": (LINE + b"\r\n") * (10 * MEGABYTE // len(LINE)),
    "10 MB of line ends": b"\r\n--" * (10 * MEGABYTE // 4),
    "quotes": multipart.form([multipart.part("x", "Content-Disposition: form-data" + '; name="\\"' * 500)]),
}


class TestBroken:
    @pytest.mark.parametrize("name", BROKEN)
    def test_a_form_that_is_none_is_no_input_at_all(self, asking: Caller, name: str) -> None:
        assert refused(asking.ask(body=BROKEN[name])) == REQUIRED
        assert asking.ask().status == 200

    @pytest.mark.parametrize(
        "media_type",
        [
            "multipart/form-data",
            "multipart/form-data; boundary=",
            'multipart/form-data; boundary=""',
            "multipart/form-data; boundary=" + "x" * 71,
            "multipart/form-data; boundary=\xff",
            "multipart/form-data;" + 'a="\\";' * 5000,
            "multipart/mixed; boundary=x",
            "application/json",
            "",
        ],
    )
    def test_nor_is_one_that_is_called_something_else(self, asking: Caller, media_type: str) -> None:
        assert refused(asking.ask(Content_Type=media_type)) == REQUIRED

    def test_what_stands_before_and_after_is_ignored(self, asking: Caller) -> None:
        body = b"before\r\n" + WHOLE + b"after\r\n" + LINE
        assert asking.ask(body=body).json[0]["size"] == 5

    def test_a_quoted_boundary_and_padding(self, asking: Caller) -> None:
        body = WHOLE.replace(LINE + b"\r\n", LINE + b" \t\r\n").replace(multipart.BOUNDARY.encode(), b"a b")
        assert asking.ask(body=body, Content_Type='Multipart/Form-Data; charset=x; boundary="a b"').status == 200


class TestPages:
    def names(self, page: Any) -> list[str]:
        return [one["name"] for one in page["data"]]

    def test_the_keys_of_a_page(self, client: httpx.Client) -> None:
        upload(client, "a.txt")
        page = client.get("files").json()
        url = str(client.base_url.join("files"))
        assert list(page) == [
            "data", "path", "per_page", "next_cursor", "next_page_url", "prev_cursor", "prev_page_url",
        ]  # fmt: skip
        assert {**page, "data": None} == {**dict.fromkeys(page), "path": url, "per_page": 20}

    def test_there_and_back_by_the_addresses_given(self, client: httpx.Client) -> None:
        upload(client, *(f"{n}.txt" for n in range(7)))
        pages = [client.get("files", params={"limit": 3}).json()]
        while pages[-1]["next_page_url"]:
            pages.append(client.get(pages[-1]["next_page_url"]).json())
        assert [self.names(page) for page in pages] == [
            ["0.txt", "1.txt", "2.txt"],
            ["3.txt", "4.txt", "5.txt"],
            ["6.txt"],
        ]
        back = client.get(pages[-1]["prev_page_url"]).json()
        assert back == pages[1]
        first = client.get("files", params={"limit": 3, "cursor": back["prev_cursor"]}).json()
        assert first == pages[0]
        assert (first["prev_cursor"], first["prev_page_url"]) == (None, None)

    def test_nothing_is_shown_twice_or_left_out_when_files_come_and_go(self, client: httpx.Client) -> None:
        made = upload(client, *(f"{n}.txt" for n in range(6)))
        page = client.get("files", params={"limit": 2}).json()
        for gone in (made[0], made[1], made[3]):  # the cursor's own among them
            assert client.delete(f"files/{gone['id']}").status_code == 204
        upload(client, "new.txt")
        page = client.get(page["next_page_url"]).json()
        assert self.names(page) == ["2.txt", "4.txt"]
        page = client.get(page["next_page_url"]).json()
        assert self.names(page) == ["5.txt", "new.txt"]
        assert page["next_cursor"] is None
        assert self.names(client.get(page["prev_page_url"]).json()) == ["2.txt", "4.txt"]

    def test_a_place_is_not_given_anew(self, client: httpx.Client) -> None:
        made = upload(client, "a.txt", "b.txt", "c.txt")
        cursor = client.get("files", params={"limit": 2}).json()["next_cursor"]
        for one in made:
            client.delete(f"files/{one['id']}")
        upload(client, "d.txt")
        page = client.get("files", params={"cursor": cursor}).json()
        assert (self.names(page), page["prev_cursor"]) == (["d.txt"], None)

    def test_from_a_place_at_the_end_there_is_nothing(self, client: httpx.Client) -> None:
        upload(client, "a.txt", "b.txt")
        cursor = client.get("files", params={"limit": 1}).json()["next_cursor"]
        last = client.get("files").json()["data"][1]
        client.delete(f"files/{last['id']}")
        page = client.get("files", params={"cursor": cursor}).json()
        assert (page["data"], page["next_cursor"], page["prev_cursor"]) == ([], None, None)

    @pytest.mark.parametrize(
        "cursor", ["", "nonsense", "ä", "YWZ0ZXI6", "e30", "=" * 9, "YWZ0ZXI6OTk5OTk5OTk5OTk5OTk5OTk5OTk"]
    )
    def test_a_cursor_that_is_none_begins_anew(self, client: httpx.Client, cursor: str) -> None:
        upload(client, "a.txt")
        assert self.names(client.get("files", params={"cursor": cursor}).json()) == ["a.txt"]

    @pytest.mark.parametrize(
        ("limit", "message"),
        [("x", "must be an integer."), ("0", "must be at least 1."), ("1.5", "must be an integer.")],
    )
    def test_a_limit_that_is_none(self, client: httpx.Client, limit: str, message: str) -> None:
        reply = client.get("files", params={"limit": limit})
        assert reply.status_code == 400
        assert reply.json() == {"message": "Validation error", "errors": {"limit": [f"The limit field {message}"]}}

    def test_a_page_has_at_most_a_hundred(self, client: httpx.Client) -> None:
        upload(client, *(f"{n}.txt" for n in range(101)))
        page = client.get("files", params={"limit": 10**30}).json()
        assert (len(page["data"]), page["per_page"]) == (100, 100)


class TestOne:
    def test_its_life(self, client: httpx.Client) -> None:
        (made,) = upload(client, "a.txt")
        assert client.get(f"files/{made['id']}").json() == made
        gone = client.delete(f"files/{made['id']}")
        assert (gone.status_code, gone.content) == (204, b"")
        for reply in (client.get(f"files/{made['id']}"), client.delete(f"files/{made['id']}")):
            assert reply.status_code == 404
            assert reply.json() == {"message": f"No query results for model [App\\Models\\File] {made['id']}"}

    def test_other_accounts_do_not_see_it(self, client: httpx.Client, handle: Handle) -> None:
        (made,) = upload(client, "a.txt")
        assert httpx.get(f"{handle.base_url}/files/{made['id']}", headers=handle.headers).status_code == 404

    def test_every_account_but_a_new_one_begins_with_some(self, handle: Handle) -> None:
        found = httpx.get(f"{handle.base_url}/files", headers=handle.headers).json()["data"]
        assert [one["name"] for one in found] == ["handbook.pdf", "notes.txt"]

    def test_some_of_a_test_s_own(self, handle: Handle) -> None:
        loaded = {"name": "own.pdf", "ext": "pdf", "size": 7, "mimetype": "application/pdf"}
        ids = handle.load({"file": [loaded]})["file"]
        assert httpx.get(f"{handle.base_url}/files/{ids[0]}", headers=handle.headers).json() == {"id": ids[0], **loaded}


class TestHeaders:
    """Without the headers that stand for JSON, an upload is answered as a completion is."""

    def test_who_does_not_expect_json_is_sent_elsewhere(self, asking: Caller) -> None:
        headers = {"Content-Type": multipart.TYPE, "Referer": "https://app.example.test/files"}
        invalid = send("POST", asking.url, {**headers, "Api-token": "any"}, multipart.form([]))
        assert (invalid.status, invalid.header("location")) == (302, "https://app.example.test/files")
        stranger = send("POST", asking.url, headers, WHOLE)
        assert (stranger.status, stranger.header("location")) == (302, f"{asking.handle.origin}/login")
        served = send("POST", asking.url, {**headers, "Api-token": "any"}, WHOLE)
        assert (served.status, json.loads(served.body)[0]["name"]) == (200, "hello.txt")

    @pytest.mark.emulator(allow_unmatched=True)
    def test_another_method(self, handle: Handle) -> None:
        reply = send("PUT", f"{handle.base_url}/files", handle.headers)
        assert (reply.status, reply.json) == (
            405,
            {"message": "The PUT method is not supported for route v1/files. Supported methods: GET, HEAD, POST."},
        )

    def test_the_host_of_a_page_is_the_one_that_was_called(self, handle: Handle) -> None:
        path = httpx.get(f"{handle.base_url}/files", headers=handle.headers).json()["path"]
        assert urlsplit(path)[:3] == urlsplit(f"{handle.base_url}/files")[:3]
