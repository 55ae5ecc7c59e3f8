"""The OpenAPI document: complete, and true."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from fastapi import APIRouter

from api.documentation import ERRORS
from api.http import make_app
from api.permissions import USERS
from api.routes import Routes
from api.social import profile as profile_routes
from commands.social.profile import CreateProfile
from infra.discovery import Misbuilt
from infra.settings import Settings
from infra.wiring import open_system
from projections.social.profile import profile
from tests.api.http import Http
from tests.scenario import Scenario
from tests.stores import Stores

Operation = tuple[str, str, dict[str, Any]]


@pytest.fixture(scope="module")
def world_api(all_stores: Stores) -> Iterator[Http]:
    scenario = Scenario(all_stores.settings("sqlite"), None)
    http = Http(scenario)
    yield http
    http.close()
    scenario.close()


@pytest.fixture(scope="module")
def document(world_api: Http) -> dict[str, Any]:
    found: dict[str, Any] = world_api.get("//openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> list[Operation]:
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_it_is_openapi_3_1_with_unique_operation_ids(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names) > 20
    assert {"create_post", "follow_member", "timeline", "livez"} <= set(names)
    assert all(name.isidentifier() and name.islower() for name in names), "chosen, not derived"


def test_every_operation_has_a_summary_and_examples(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        assert operation["summary"] or operation.get("description"), path
        contents = [operation.get("requestBody", {}).get("content", {})]
        contents += [answer.get("content", {}) for answer in operation["responses"].values()]
        for content in contents:
            if "application/json" in content:
                assert content["application/json"].get("example"), f"{method} {path}"


def test_every_error_a_route_can_give_is_documented(document: dict[str, Any]) -> None:
    shared = document["components"]["responses"]
    assert set(shared) == {str(status) for status in ERRORS}
    for status, answer in shared.items():
        content = answer["content"]["application/problem+json"]
        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
        assert content["example"]["status"] == int(status)
    always = set("401 403 404 408 413 414 415 422 429 431 500 503".split())
    for method, path, operation in operations(document):
        if not path.startswith("/api/v1/"):
            continue
        given = {status for status in operation["responses"] if not status.startswith("2")}
        assert given == (always if method == "get" else always | {"409", "412"}), path


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(part: Any) -> Iterator[str]:
        if isinstance(part, dict):
            yield from (v for k, v in part.items() if k == "$ref" and isinstance(v, str))
            for value in part.values():
                yield from references(value)
        elif isinstance(part, list):
            for value in part:
                yield from references(value)

    for reference in set(references(document)):
        place: Any = document
        for word in reference.removeprefix("#/").split("/"):
            assert word in place, reference
            place = place[word]


def test_the_examples_of_bodies_are_taken(world_api: Http, document: dict[str, Any]) -> None:
    """An example may be refused by a rule; its form is right."""
    for method, path, operation in operations(document):
        if method != "post":
            continue
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        place = path
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path":
                place = place.replace(f"{{{parameter['name']}}}", str(UUID(int=7)))
        answer = world_api.post("/" + place, body.get("example"))
        assert answer.json().get("errors", []) == [], f"{path}: {answer.text}"


def test_headers_are_documented(document: dict[str, Any]) -> None:
    def headers(path: str, method: str) -> set[str]:
        parameters = document["paths"]["/api/v1" + path][method]["parameters"]
        return {one["name"] for one in parameters if one["in"] == "header"}

    assert headers("/posts", "post") == {"Idempotency-Key", "If-Match"}
    assert headers("/posts/{post_id}", "get") == {"Aorist-After"}


def test_every_answer_says_how_many_requests_are_left(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        for status, answer in operation["responses"].items():
            found = answer
            if "$ref" in answer:
                found = document["components"]["responses"][status]
            counted = path.startswith("/api/v1/") and status != "408"
            assert ("RateLimit" in found.get("headers", {})) == counted, f"{path} {status}"


def test_amounts_are_shown_with_their_currency(document: dict[str, Any]) -> None:
    account = document["components"]["schemas"]["Account"]["properties"]
    assert account["balance"] == {"$ref": "#/components/schemas/MoneyShown"}


def test_a_system_of_one_context_documents_that_alone(settings: Settings) -> None:
    scenario = Scenario(settings, None)
    one = scenario.run(open_system(settings, ["social"]))
    paths = make_app(one).openapi()["paths"]
    assert "/api/v1/posts" in paths
    assert "/api/v1/accounts" not in paths
    scenario.run(one.close())
    scenario.close()


def test_routes_that_would_mislead_are_refused_at_start(world_api: Http, monkeypatch) -> None:
    system = world_api.scenario.system
    original = profile_routes.routes

    def with_routes(routes: object) -> None:
        monkeypatch.setattr(profile_routes, "routes", routes)
        make_app(system)

    for wrong in (None, APIRouter()):
        with pytest.raises(Misbuilt, match=r"api/social/profile\.py needs `routes = Routes"):
            with_routes(wrong)
    twice = Routes()
    twice.query("/people/{member_id}", profile, allow=USERS)
    twice.query("/folk/{member_id}", profile, allow=USERS)
    with pytest.raises(Misbuilt, match=r"/people/{member_id} and .*/folk/.* are both called"):
        with_routes(twice)
    lost = Routes()
    lost.command("/profiles", CreateProfile, status=201, location="/nowhere/{id}", allow=USERS)
    with pytest.raises(Misbuilt, match=r"its Location /api/v1/nowhere/{id} is no query"):
        with_routes(lost)
    with pytest.raises(TypeError, match="CreateProfile has no field 'member_id'"):
        Routes().command("/profiles/{member_id}", CreateProfile)
    with_routes(original)


def test_the_docs_page_is_there(world_api: Http) -> None:
    page = world_api.get("//docs")
    assert page.status_code == 200
    assert "openapi.json" in page.text
