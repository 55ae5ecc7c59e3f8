"""Cases that schemathesis makes from the document, sent to the app in this process."""

import re
from collections.abc import Iterator
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, checks
from schemathesis.core.result import Err

from tests.api.http import ALICE, BOB, Http

ENDLESS = "/api/v1/events/stream"
"""It is tested by itself: an answer of its has no end."""
CALLERS: tuple[dict[str, str], ...] = (
    *({"Aorist-Actor": str(ALICE)},) * 3,  # who may all, as in development
    {"Aorist-Actor": str(ALICE), "Aorist-Roles": "customer"},
    {"Aorist-Actor": str(BOB), "Aorist-Roles": "customer"},
    *({"Aorist-Actor": "job:fuzz", "Aorist-Roles": "operator, auditor, service"},) * 2,
    {"Aorist-Actor": str(BOB), "Aorist-Roles": "teller, merchant, moderator, risk officer"},
    {},  # a stranger
    {"Authorization": "Bearer nonsense"},
)
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
HEALTH = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
Operation = Any


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    """Yield every operation of the document but the endless one."""
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        if isinstance(found, Err):
            raise found.err()
        operation = found.ok()
        if operation.path != ENDLESS:
            yield operation


def fuzz(http: Http, operation: Operation, known: dict[str, str], examples: int, start: int) -> int:
    """Send so many cases to an operation; return how many. Raises what a check finds.

    `known` are ids of what is there, by the name of a path's parameter: half of the cases name
    one. The same `start` makes the same cases.
    """
    sent = 0
    valid = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    wrong = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

    @seed(start)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=HEALTH,
    )
    @given(
        case=st.one_of(valid, wrong) if any(_parameters(operation)) else valid,
        caller=st.sampled_from(CALLERS),
        meets=st.booleans(),
    )
    def call(case: Any, caller: dict[str, str], meets: bool) -> None:
        nonlocal sent
        if meets:
            case.path_parameters = _meeting(case.path_parameters, known)
            case.query = _meeting(case.query, known)
            case.body = _meeting(case.body, known)
        case.headers = {**(case.headers or {}), **caller}
        response = _send(http, case)
        case.validate_response(response, checks=CHECKS)
        sent += 1

    http.scenario.settle()  # nothing runs beside: else read models would be behind, and say so
    call()
    return sent


def _parameters(operation: Operation) -> Iterator[Any]:
    yield from (operation.path_parameters, operation.query, operation.body)


def _meeting(given: Any, known: dict[str, str]) -> Any:
    """Return the same with ids of what is there, wherever their names are."""
    if isinstance(given, dict):
        return {name: known.get(name) or _meeting(one, known) for name, one in given.items()}
    return [_meeting(one, known) for one in given] if isinstance(given, list) else given


def _send(http: Http, case: Any) -> Any:
    given = case.as_transport_kwargs(base_url="http://test")
    http.client.headers.pop("Aorist-Actor", None)
    options = {
        name: given[name]
        for name in ("params", "json", "data", "headers", "content")
        if given.get(name) is not None
    }
    if isinstance(options.get("data"), bytes | str):
        options["content"] = options.pop("data")
    options["headers"] = {
        name: re.sub(r"[^\x20-\x7e\xa0-\xff]", "", str(value)).encode("latin-1")
        for name, value in dict(options.get("headers", {})).items()
        if re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name)
    }
    return http.scenario.run(http.client.request(given["method"], given["url"], **options))
