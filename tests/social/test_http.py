"""The network over HTTP: what a member sends and gets, and what a stranger is told."""

import pytest
from httpx import ASGITransport, AsyncClient

from api.http import make_app
from tests.social.members import ALICE, BOB, CAROL, JOINED, POST


class Browser:
    """Sends requests as one member; the read models follow every write."""

    def __init__(self, social) -> None:
        self._social = social
        self._app = make_app(social.system, follow=False)

    def send(self, method, path, member, body=None, **headers):
        async def exchange():
            async with AsyncClient(
                transport=ASGITransport(self._app), base_url="http://test/api/v1"
            ) as client:
                named = {"Aorist-Actor": str(member), **headers}
                return await client.request(method, path, json=body, headers=named)

        response = self._social.run(exchange())
        self._social.settle()
        return response

    def post(self, path, member, body=None, **headers):
        return self.send("POST", path, member, body, **headers)

    def get(self, path, member):
        return self.send("GET", path, member)


@pytest.fixture
def browser(social):
    social.given(JOINED)
    return Browser(social)


def test_a_member_joins_writes_is_followed_liked_and_commented_on(browser):
    dave = "da7e0000-0000-4000-8000-000000000004"
    assert browser.post("/profiles", dave, {"name": "Dave"}).status_code == 201
    written = browser.post(
        "/posts", dave, {"text": "Hi", "visibility": "followers", "publish": True}
    )
    assert written.status_code == 201
    path = written.headers["Location"].removeprefix("/api/v1")
    assert path == f"/posts/{written.json()['id']}"
    assert browser.get(path, ALICE).status_code == 404

    assert browser.post(f"/profiles/{dave}/follow", ALICE).status_code == 200
    assert browser.get(path, ALICE).json()["text"] == "Hi"
    assert browser.post(f"{path}/like", ALICE).status_code == 200
    said = browser.post(f"{path}/comments", ALICE, {"text": "Welcome"})
    assert said.status_code == 201
    comment = said.headers["Location"].removeprefix("/api/v1")
    assert browser.post(f"{comment}/edit", ALICE, {"text": "Welcome!"}).status_code == 200
    assert browser.get(comment, ALICE).json()["text"] == "Welcome!"

    shown = browser.get(path, ALICE)
    assert (shown.json()["likes"], shown.json()["comments"]) == (1, 1)
    assert shown.headers["ETag"] == '"2"'
    assert [row["name"] for row in browser.get(f"{path}/likes", dave).json()["items"]] == ["Alice"]
    assert len(browser.get(f"{path}/comments", dave).json()["items"]) == 1
    assert [row["text"] for row in browser.get("/timeline", ALICE).json()["items"]] == ["Hi"]
    assert browser.get(f"/profiles/{dave}/followers", BOB).json()["items"][0]["name"] == "Alice"
    assert browser.get(f"/profiles/{ALICE}/following", BOB).json()["items"][0]["name"] == "Dave"

    assert browser.post(f"{path}/unlike", ALICE).status_code == 200
    assert browser.post(f"{comment}/delete", dave).status_code == 200
    assert browser.post(f"/profiles/{dave}/unfollow", ALICE).status_code == 200
    assert browser.get(path, ALICE).status_code == 404
    assert browser.get("/timeline", ALICE).json() == {"items": [], "next": None}
    about = browser.get(f"/profiles/{dave}", BOB).json()
    assert (about["name"], about["followers"], about["posts"]) == ("Dave", 0, 1)


def test_a_post_is_drafted_published_edited_and_deleted(browser):
    draft = {"post_id": str(POST), "text": "Hello", "media": ["media/1"]}
    assert browser.post("/posts", ALICE, draft).status_code == 201
    assert browser.get(f"/profiles/{ALICE}/posts", BOB).json()["items"] == []
    assert browser.post(f"/posts/{POST}/publish", ALICE).status_code == 200
    assert browser.get(f"/profiles/{ALICE}/posts", BOB).json()["items"][0]["media"] == ["media/1"]
    edited = browser.post(f"/posts/{POST}/edit", ALICE, {"text": "Hello!"})
    assert edited.json()["version"] == 3
    revisions = browser.get(f"/posts/{POST}/history", BOB).json()["items"]
    assert [row["text"] for row in revisions] == ["Hello", "Hello!"]
    assert browser.post(f"/posts/{POST}/delete", ALICE).status_code == 200
    assert browser.get(f"/posts/{POST}", ALICE).status_code == 404


def test_refusals_have_their_status_and_code(browser):
    browser.post("/posts", ALICE, {"post_id": str(POST), "text": "Hello", "publish": True})

    def problem(response):
        return response.status_code, response.json()["code"]

    assert problem(browser.get("/timeline", "job:import")) == (403, "member_required")
    assert problem(browser.post("/posts", "job:import", {"text": "Hi"})) == (403, "member_required")
    assert problem(browser.post(f"/posts/{POST}/delete", BOB)) == (403, "not_the_author")
    assert problem(browser.post(f"/posts/{BOB}/comments", BOB, {"text": " "}))[0] in (404, 409)
    assert problem(browser.post(f"/profiles/{BOB}/follow", BOB)) == (422, "follow_self")
    assert problem(browser.post("/posts", BOB, {"text": "Hi", "visibility": "all"}))[0] == 422
    assert problem(browser.post("/posts", BOB, {"text": "Hi", "author": str(ALICE)}))[0] == 422
    assert problem(browser.post("/posts", BOB, {"text": ""})) == (422, "post_empty")
    assert problem(browser.post("/profiles", BOB, {"name": "Bobby"})) == (409, "profile_exists")


def test_a_strangers_request_for_a_private_post_is_as_for_none(browser):
    hidden = {"post_id": str(POST), "text": "Hello", "visibility": "private", "publish": True}
    browser.post("/posts", ALICE, hidden)
    nothing = "90570000-0000-4000-8000-00000000ffff"
    for action, body in (
        ("publish", None),
        ("edit", {"text": "Mine"}),
        ("delete", None),
        ("like", None),
        ("unlike", None),
        ("comments", {"text": "Nice"}),
    ):
        for headers in ({}, {"If-Match": '"0"'}, {"If-Match": '"7"'}):
            for id in (POST, nothing):
                told = browser.post(f"/posts/{id}/{action}", CAROL, body, **headers)
                assert told.json()["code"] == "post_not_found", (action, headers, id)
    assert browser.get(f"/posts/{POST}", CAROL).json()["code"] == "not_found"
