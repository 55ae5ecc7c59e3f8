"""The program's log lines: JSON where nobody watches, one form for all, and nothing personal."""

import json
import os
import pty
import subprocess
import sys

import pytest
import structlog

from infra.logging import told
from tests.api.http import ALICE, OPERATOR, Http
from tests.source import ROOT

PROGRAM = """
import logging, sys, warnings
import structlog
from pydantic import BaseModel
from infra.logging import configure
from infra.settings import Settings

class Person(BaseModel):
    name: int

def faulty(name):
    secret = {"name": name}
    try:
        Person(name=name)
    except ValueError as error:
        raise RuntimeError("it failed") from error

configure(Settings(log_format=sys.argv[1], log_level="info"))
log = structlog.get_logger("aorist.test")
log.debug("too detailed")
log.info("command", actor="ann", ms=1.5)
name = "can" + "ary"
try:
    faulty(name)
except RuntimeError:
    log.exception("unexpected error")
    logging.getLogger("asyncio").exception("a task failed\\nwith canary")
logging.getLogger("uvicorn.error").warning("shaky")
logging.getLogger("uvicorn.error").info("not of interest")
"""


def lines_of(log_format: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, log_format],
        cwd=ROOT,
        check=True,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    return done.stderr


@pytest.mark.parametrize("log_format", ["auto", "json"])
def test_lines_are_json_when_nobody_watches(log_format: str) -> None:
    text = lines_of(log_format)
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["event"] for line in lines] == [
        "command",
        "unexpected error",
        "a task failed",
        "shaky",
    ]
    assert [line["level"] for line in lines] == ["info", "error", "error", "warning"]
    assert (lines[0]["actor"], lines[0]["ms"]) == ("ann", 1.5)
    assert all(line["timestamp"].endswith("Z") for line in lines)
    assert "RuntimeError: it failed" in lines[1]["exception"]
    assert "in faulty" in lines[1]["exception"]
    assert "1 validation error for Person" in lines[1]["exception"]
    assert lines[2]["library"] == "asyncio"
    assert "canary" not in text


def test_lines_are_readable_in_a_terminal_and_hold_no_values_there_either() -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, "auto"], cwd=ROOT, stderr=theirs)
    os.close(theirs)
    text = b""
    try:
        while part := os.read(ours, 10_000):
            text += part
    except OSError:  # the terminal is gone when its last process is
        pass
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert b"command" in text
    assert b"RuntimeError: it failed" in text
    assert not text.startswith(b"{")
    assert b"canary" not in text


def test_causes_are_told_to_a_bound() -> None:
    error: BaseException = ValueError("first\nsecret")
    for number in range(10):
        following = ValueError(str(number))
        following.__cause__ = error
        error = following
    assert told(error) == [f"ValueError: {n}" for n in (9, 8, 7, 6, 5)]
    assert told(ValueError("first\nsecret")) == ["ValueError: first"]


def test_no_value_of_a_command_or_fact_is_in_any_line(api: Http) -> None:
    """Through every part: accepted, refused, malformed, corrupt, unexpected, read and audited."""
    with structlog.testing.capture_logs() as lines:
        api.post("/profiles", {"name": "canary", "bio": "canary"})
        api.post("/profiles", {"name": "canary again"}, headers={"Aorist-Reason": "canary"})
        api.post("/profiles", {"canary": "canary"})
        api.post("/posts", {"text": "canary", "publish": True}, headers={"Idempotency-Key": "k"})
        api.post("/posts", {"text": "canary2"}, headers={"Idempotency-Key": "k"})
        api.scenario.settle()
        api.get(f"/profiles/{ALICE}?canary=canary", headers={"User-Agent": "canary"})
        api.get("/audit?actor=canary", headers=OPERATOR)
        dispatcher = api.scenario.system.dispatcher
        decide = dispatcher._decide

        async def faulty(*_: object) -> None:
            raise ZeroDivisionError("the first line is the programmer's\ncanary")

        dispatcher._decide = faulty  # type: ignore[assignment,method-assign]
        answer = api.post("/posts", {"text": "canary"})
        dispatcher._decide = decide  # type: ignore[method-assign]
    assert answer.status_code == 500
    assert answer.json()["code"] == "unexpected"
    assert answer.headers["X-Correlation-ID"] == answer.json()["correlation_id"]
    assert "canary" not in answer.text
    events = {line["event"] for line in lines}
    assert {"command", "reader batch", "unexpected error"} <= events
    for line in lines:
        line.pop("exc_info", None)  # told without values, as the tests above say
    assert "canary" not in repr(lines)
    unexpected = next(line for line in lines if line["event"] == "unexpected error")
    assert unexpected["correlation_id"] == answer.json()["correlation_id"]
