"""Personal data: marked where it is declared, and found nowhere but in facts and read models."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from domain import PERSONAL, Event
from infra.discovery import discover
from infra.logging import configure
from infra.settings import Settings
from tests.api.http import OPERATOR, Http
from tests.identity.people import letters, link_of
from tests.source import ROOT

PLAIN = {
    "identity.user.suspended.reason",
    "identity.user.reactivated.reason",
    "identity.user.role_granted.role",
    "identity.user.role_revoked.role",
    "identity.session.ended.reason",
    "identity.service.issued.name",
    "identity.service.issued.scopes",
    "identity.service.revoked.reason",
    "identity.letter.asked.purpose",
    "identity.letter.delayed.reason",
    "identity.letter.given_up.reason",
}
"""Texts of the users' facts that tell nothing of a person who is not named beside them."""
CANARIES = {
    "username": "canaryuser",
    "email": "canary@mail.example",
    "name": "Canary Name",
    "bio": "Canary bio",
    "avatar": "https://canary.example/face.png",
    "phone": "+27215550177",
    "street": "Canary Lane 7",
    "postcode": "CA 4711",
    "city": "Canaryville",
    "region": "Canaryshire",
    "password": "canary password 1",
}


def texts(kind: Any, path: str, marked: bool) -> Iterator[tuple[str, bool]]:
    """Yield the places of texts in a fact, and whether they are marked as personal."""
    while isinstance(kind, inspect.Metadata):
        marked = marked or PERSONAL.items() <= (kind.extra or {}).items()
        kind = kind.type
    if isinstance(kind, inspect.StrType):
        yield path, marked
    for one in getattr(kind, "fields", ()):
        yield from texts(one.type, f"{path}.{one.name}", marked)
    for one in getattr(kind, "types", ()):
        yield from texts(one, path, marked)
    if hasattr(kind, "item_type"):
        yield from texts(kind.item_type, path, marked)


def personal(fact: type[Event]) -> dict[str, bool]:
    found = inspect.type_info(fact)
    assert isinstance(found, inspect.StructType)
    return dict(texts(found, fact.TOPIC, marked=False))


def test_every_text_of_a_users_facts_is_marked_or_known_to_be_plain() -> None:
    of_users = [fact for topic, fact in discover().facts.items() if topic.startswith("identity.")]
    unmarked = {
        place for fact in of_users for place, marked in personal(fact).items() if not marked
    }
    assert unmarked == PLAIN, "mark it: `name: Personal[str]`"


@pytest.mark.parametrize(
    "place",
    ["commerce.order.placed.address.street", "social.profile.created.bio"],
)
def test_what_other_contexts_know_of_a_person_is_marked(place: str) -> None:
    marks: dict[str, bool] = {}
    for fact in discover().facts.values():
        marks |= personal(fact)
    assert marks[place]


@pytest.fixture
def json_lines() -> None:
    """Every line is written, from the start of the system on."""
    configure(Settings(log_format="json", log_level="debug"))


def body() -> dict[str, Any]:
    known = CANARIES
    address = {name: known[name] for name in ("street", "postcode", "city", "region")}
    person = {name: known[name] for name in ("name", "bio", "avatar", "phone")}
    return {
        "username": known["username"],
        "email": known["email"],
        "password": known["password"],
        "person": person | {"address": address | {"country": "ZA"}},
    }


def test_no_log_line_metric_or_trail_has_it(
    json_lines: None, api: Http, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through all that users do: taken, refused, malformed, logged in, and not."""
    id = api.post("/users", body()).json()["id"]
    api.post("/users", body())  # both names are taken
    api.post("/users", body() | {"user_id": id})
    api.post("/users", body() | {"phone": CANARIES["phone"]})  # malformed
    credentials = {"login": CANARIES["email"], "password": CANARIES["password"]}
    login = api.post("/login", credentials).json()
    api.post("/login", credentials | {"password": "canary password 2"})
    api.post("/login", credentials | {"login": "nobody@canary.example"})
    api.post("/login", credentials | {"password": ["canary"]})
    refresh = {"refresh_token": login["refresh_token"]}
    bearer = {"Authorization": f"Bearer {login['access_token']}"}
    api.post("/login/refresh", refresh)
    api.get(f"/users/{id}", headers=bearer)
    changed = {"email": "other@canary.example"}
    api.post(f"/users/{id}/email", changed, headers=OPERATOR)
    api.post(f"/users/{id}/revise", {"person": {"name": "Canary Other"}}, headers=OPERATOR)
    api.post("/login/refresh", refresh)  # used again
    api.post("/forgotten-password", {"login": CANARIES["email"]})
    api.post("/forgotten-password", {"login": "other@canary.example"})
    api.scenario.settle()
    links = [link_of(letter)[1] for letter in letters(api.scenario)]
    api.post("/verify-email", {"token": links[0]})
    api.post("/reset-password", {"token": links[1], "new": "canary password 3"})
    api.scenario.settle()
    written = "".join(capsys.readouterr())
    assert '"identity.LogIn"' in written, "the lines are those that were written"
    assert '"reader batch"' in written
    trail = api.get("/audit", params={"context": "identity"}, headers=OPERATOR).text
    assert "wrong_credentials" in trail
    metrics = api.get("//metrics").text
    assert "identity.LogIn" in metrics
    assert len(links) == 2
    secrets = (link.partition(".")[2] for link in links)
    tokens = (login["access_token"], login["refresh_token"], *secrets)
    for place, text in {"log": written, "trail": trail, "metrics": metrics}.items():
        for secret in (*CANARIES.values(), *tokens, "canary", "Canary"):
            assert secret not in text, f"{place}: {secret}"


def test_the_marks_are_in_the_schemas() -> None:
    fields = msgspec.json.decode((ROOT / "schemas/identity/user.avsc").read_bytes())
    assert '"personal":true' in msgspec.json.encode(fields).decode()
