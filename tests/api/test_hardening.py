"""What browsers are told about every answer, and that the server tells nothing of itself."""

import pytest

from tests.api.http import ALICE, Http

KINDS = {
    "a query": "/timeline",
    "a problem": f"/profiles/{ALICE}",
    "no route": "/nowhere",
    "the docs": "//docs",
    "health": "//livez",
    "the page of the first operator": "/first-operator",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_answer_says_what_browsers_may_do_with_it(api: Http, kind: str) -> None:
    headers = api.get(KINDS[kind]).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] in ("no-store", "no-cache")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_a_commands_answer_has_them_and_no_header_twice(api: Http) -> None:
    answer = api.post("/profiles", {"name": "Alice"})
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    names = [name for name, _ in answer.headers.multi_items()]
    assert len(names) == len(set(names))


def test_only_the_pages_run_scripts(api: Http) -> None:
    for kind, path in KINDS.items():
        policy = api.get(path).headers["Content-Security-Policy"]
        assert ("script-src" in policy) == (path in ("//docs", "/first-operator")), kind


def test_other_origins_get_no_permission(api: Http) -> None:
    """Without a list of origins in the configuration there is none."""
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = api.send("OPTIONS", "/timeline", headers=asked)
    assert not [name for name in answer.headers if name.startswith("access-control-")]
