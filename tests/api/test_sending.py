"""Which command a request's path leads to."""

from typing import Any

import pytest
from pydantic import BaseModel

from api.permissions import EVERYONE
from api.sending import Commands, Sending


def sending(path: str, *in_path: str) -> Sending:
    none: Any = None
    return Sending(
        operation_id="job",
        path=path,
        command=object,
        in_path=dict.fromkeys(in_path, none),
        body=BaseModel,
        body_required=False,
        status=200,
        place=None,
        allowed=EVERYONE,
    )


@pytest.fixture
def commands() -> Commands:
    made = Commands()
    made.add("POST", sending("/v1/jobs"))
    made.add("POST", sending("/v1/jobs/{job_id}/push", "job_id"))
    made.add("POST", sending("/v1/jobs/all/stop"))
    made.add("PUT", sending("/v1/jobs/{job_id}/parts/{part}", "job_id", "part"))
    return made


@pytest.mark.parametrize(
    ("method", "path", "leads_to", "given"),
    [
        ("POST", "/v1/jobs", "/v1/jobs", {}),
        ("POST", "/v1/jobs/7/push", "/v1/jobs/{job_id}/push", {"job_id": "7"}),
        ("POST", "/v1/jobs/all/push", "/v1/jobs/{job_id}/push", {"job_id": "all"}),
        ("POST", "/v1/jobs/all/stop", "/v1/jobs/all/stop", {}),
        (
            "PUT",
            "/v1/jobs/7/parts/a b",
            "/v1/jobs/{job_id}/parts/{part}",
            {"job_id": "7", "part": "a b"},
        ),
    ],
)
def test_a_path_leads_to_its_command(
    commands: Commands, method: str, path: str, leads_to: str, given: dict[str, str]
) -> None:
    found = commands.find(method, path)
    assert found is not None
    assert (found[0].path, found[1]) == (leads_to, given)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/jobs"),
        ("POST", "/v1/jobs/"),
        ("POST", "/v1/jobs//push"),
        ("POST", "v1/jobs"),
        ("POST", "/v1/jobs/7"),
        ("POST", "/v1/jobs/7/push/again"),
        ("PUT", "/v1/jobs/7/parts/"),
        ("POST", ""),
        ("POST", "*"),
    ],
)
def test_what_is_no_command_is_left_to_the_framework(
    commands: Commands, method: str, path: str
) -> None:
    assert commands.find(method, path) is None
