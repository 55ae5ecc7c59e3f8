"""Secrets of the configuration are in no error, no log line and no output, right or wrong."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.settings import Settings
from tests.cli.program import Program

SECRET = "canary-7319"
NOWHERE = f"postgresql://app:{SECRET}@127.0.0.1:1/nowhere"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


WRONG: dict[str, tuple[str, dict[str, str]]] = {
    "a URL of another store": ("", {"AORIST_DATABASE_URL": f"mysql://a:{SECRET}@h/d"}),
    "a URL with a driver": ("", {"AORIST_DATABASE_URL": f"postgresql+x://a:{SECRET}@h/d"}),
    "a port that is none": ("", {"AORIST_DATABASE_URL": f"postgresql://a@h:{SECRET}/d"}),
    "a context's URL": (
        "",
        {"AORIST_CONTEXT_DATABASE_URLS": f'{{"banking": "mysql://a:{SECRET}@h/d"}}'},
    ),
    "no JSON": ("", {"AORIST_CONTEXT_DATABASE_URLS": f'{{"banking": "mysql://a:{SECRET}@h/d"'}),
    "no Redis": ("", {"AORIST_REDIS_URL": f"http://:{SECRET}@h"}),
    "no registry": ("", {"AORIST_SCHEMA_REGISTRY_URL": f"ftp://a:{SECRET}@h"}),
    "a password that is a list": (f"kafka_password: [{SECRET}]", {}),
    "an owner's password that is a map": (f"database_owner_password: {{a: {SECRET}}}", {}),
    "YAML that breaks in its line": (f"kafka_password: '{SECRET}\nport: [", {}),
    "YAML that breaks behind it": (f"kafka_password: @{SECRET}\n", {}),
    "a list for a URL": (f"context_database_urls: {{banking: [{SECRET}]}}", {}),
}


@pytest.mark.parametrize(("file", "env"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("verb", ["config", "doctor", "migrate"])
def test_a_wrong_configuration_does_not_repeat_them(
    folder: Path, verb: str, file: str, env: dict[str, str]
) -> None:
    (folder / "aorist.yaml").write_text(file)
    url = env.get("AORIST_DATABASE_URL", f"sqlite:///{folder}/a.db")
    program = Program(url, folder)
    said = program(verb, code=2, env=env)
    assert SECRET not in said.out + said.err
    assert said.err or "MEND  configuration" in said.out, "but it says that something is wrong"


@pytest.mark.parametrize("verb", ["migrate", "doctor", "events"])
@pytest.mark.parametrize(
    "url", [NOWHERE, f"postgresql://app@127.0.0.1:1/nowhere?password={SECRET}"]
)
def test_a_store_that_is_away_is_named_without_its_password(
    folder: Path, verb: str, url: str
) -> None:
    said = Program(url, folder)(verb, code=1)
    assert SECRET not in said.out + said.err
    assert "127.0.0.1:1/nowhere" in said.out + said.err


def test_settings_are_shown_without_them(folder: Path) -> None:
    env = {
        "AORIST_CONTEXT_DATABASE_URLS": f'{{"banking": "{NOWHERE}?sslpassword={SECRET}"}}',
        "AORIST_KAFKA_PASSWORD": SECRET,
        "AORIST_DATABASE_OWNER_PASSWORD": SECRET,
    }
    said = Program(f"{NOWHERE}?password={SECRET}", folder)("config", env=env)
    assert SECRET not in said.out + said.err
    assert "postgresql://app:***@127.0.0.1:1/nowhere" in said.out


def test_settings_do_not_tell_them_by_their_text() -> None:
    settings = Settings(
        database_url=NOWHERE,
        context_database_urls={"banking": NOWHERE},
        kafka_password=SecretStr(SECRET),
        database_owner_password=SecretStr(SECRET),
    )
    for text in (repr(settings), str(settings), repr([settings]), f"{settings!r}"):
        assert SECRET not in text
    assert settings.url_of("banking") == NOWHERE


# pragma: allowlist nextline secret
@pytest.mark.parametrize("text", [SECRET, f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END"])
def test_a_broken_key_is_named_and_not_shown(folder: Path, text: str) -> None:
    keys = folder / "keys"
    keys.mkdir()
    (keys / "20260101T000000000000Z.pem").write_text(text)  # the name of a key
    program = Program(f"sqlite:///{folder}/a.db", folder)
    said = program("keys", code=1, env={"AORIST_KEYS_FOLDER": str(keys)})
    assert str(keys) in said.err
    assert SECRET not in said.out + said.err
