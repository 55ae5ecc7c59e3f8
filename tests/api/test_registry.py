"""The registry: Confluent's own client reads every schema from a running server."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from infra.discovery import discover
from infra.log.codec import Codec
from infra.schemas.versions import committed
from tests.api.http import Http
from tests.api.test_server import serving
from tests.scenario import Scenario

COMMITTED = committed()
CODEC = Codec(discover().facts)
SUBJECT = "banking.transfer.requested"
FIRST = COMMITTED.by_subject[SUBJECT][0]
pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)  # it asks none
MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"


@pytest.fixture
def ask(world: Scenario):
    """Run a function with Confluent's client for a running server."""

    def run(body: Callable[[SchemaRegistryClient], None]) -> None:
        async def served() -> None:
            async with serving(world) as (http, _):
                with SchemaRegistryClient({"url": str(http.base_url).rstrip("/")}) as client:
                    await asyncio.to_thread(body, client)

        world.run(served())

    return run


def test_a_foreign_client_finds_every_schema(ask) -> None:
    def body(client: SchemaRegistryClient) -> None:
        assert client.get_subjects() == sorted(discover().facts)
        for one in COMMITTED:
            assert json.loads(client.get_schema(one.id).schema_str or "") == one.schema
        versions = client.get_versions(SUBJECT)
        assert versions == [one.version for one in COMMITTED.by_subject[SUBJECT]]
        shown = client.get_version(SUBJECT, 1)
        assert (shown.schema_id, shown.version, shown.subject) == (FIRST.id, 1, SUBJECT)
        newest = COMMITTED.latest(SUBJECT)
        assert newest
        assert client.get_latest_version(SUBJECT).schema_id == newest.id
        assert client.get_compatibility() == "FULL_TRANSITIVE"
        looked_up = client.lookup_schema(SUBJECT, Schema(FIRST.text, "AVRO"))
        assert looked_up.schema_id == FIRST.id
        assert client.register_schema(SUBJECT, Schema(FIRST.text, "AVRO")) == FIRST.id

    ask(body)


def test_a_foreign_client_reads_every_field_of_every_fact(ask) -> None:
    def body(client: SchemaRegistryClient) -> None:
        read = AvroDeserializer(client)
        newest = {one.subject: one for one in COMMITTED}
        for one in COMMITTED:
            place = SerializationContext(f"aorist.{one.subject.split('.')[0]}", MessageField.VALUE)
            for example in one.examples:
                framed = b"\0" + one.id.to_bytes(4) + example.avro
                fact = CODEC.decode_as[one.subject](bytes(example.json))
                found, now = plain(read(framed, place)), plain(fact) or {"happened": True}
                # An older version lacks what was added since.
                assert found == now if one is newest[one.subject] else found.items() <= now.items()

    ask(body)


def plain(value: Any) -> Any:
    return json.loads(msgspec.json.encode(value))


def test_what_is_not_there_is_told_as_a_registry_tells_it(ask) -> None:
    def told(call: Callable[[], object]) -> tuple[int, int]:
        with pytest.raises(SchemaRegistryError) as error:
            call()
        return error.value.http_status_code, error.value.error_code

    def body(client: SchemaRegistryClient) -> None:
        other = Schema('{"type": "string"}', "AVRO")
        assert told(lambda: client.get_schema(1)) == (404, 40403)
        assert told(lambda: client.get_versions("no.such.fact")) == (404, 40401)
        assert told(lambda: client.get_version("no.such.fact", 1)) == (404, 40401)
        assert told(lambda: client.get_version(SUBJECT, 99)) == (404, 40402)
        assert told(lambda: client.lookup_schema(SUBJECT, other)) == (404, 40403)
        assert told(lambda: client.register_schema(SUBJECT, other)) == (422, 42205)
        assert told(lambda: client.register_schema("no.such.fact", other)) == (422, 42205)

    ask(body)


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/schemas/types", 200, ["AVRO"]),
        (f"/schemas/ids/{FIRST.id}/schema", 200, FIRST.schema),
        (f"/schemas/ids/{FIRST.id}/versions", 200, [{"subject": SUBJECT, "version": 1}]),
        (f"/subjects/{SUBJECT}/versions/1/schema", 200, FIRST.schema),
        (f"/subjects/{SUBJECT}/versions/-1", 200, None),
        (f"/subjects/{SUBJECT}/versions/0", 422, 42202),
        (f"/subjects/{SUBJECT}/versions/one", 422, 42202),
        (f"/subjects/{SUBJECT}/versions/²", 422, 42202),
        ("/schemas/ids/one", 404, 40403),
        ("/schemas/ids/99999999999999999999999", 404, 40403),
        ("/schemas/ids/1/schema", 404, 40403),
        ("/schemas/ids/1/versions", 404, 40403),
    ],
)
def test_answers_have_the_form_of_a_registry(
    api: Http, path: str, status: int, said: object
) -> None:
    answer = api.get("/" + path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE)
    if status == 200:
        assert said in (None, answer.json())
    else:
        assert answer.json()["error_code"] == said
        assert answer.json()["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"schema": 5}', b'{"schema": "{"}', b"\xff"])
def test_a_body_without_a_schema_is_refused(api: Http, body: bytes) -> None:
    for path in (f"//subjects/{SUBJECT}", f"//subjects/{SUBJECT}/versions"):
        answer = api.send("POST", path, content=body)
        assert (answer.status_code, answer.json()["error_code"]) == (422, 42201)
