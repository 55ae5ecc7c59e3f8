"""`aorist config`, `doctor` and `migrate`: where values come from, and what needs mending."""

from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.source import CONTEXTS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def row(said: str, setting: str) -> str:
    """Return a setting's line, its columns one space apart."""
    (found,) = [line for line in said.splitlines() if line.startswith(setting + " ")]
    return " ".join(found.split())


def test_options_come_before_environment_before_file_before_defaults(
    embedded: Program, folder: Path
) -> None:
    file = folder / "mine.yaml"
    file.write_text("port: 1\nhost: filed\nlog_level: error\ndatabase_url: sqlite:///filed.db\n")
    words = ("--log-level", "debug", "--config", file, "config")
    env = {"AORIST_HOST": "surroundings", "AORIST_LOG_LEVEL": "warning"}
    said = embedded(*words, env=env).out
    assert row(said, "database_url").startswith(f"database_url {embedded.url} option")
    assert row(said, "log_level").startswith("log_level debug option")
    assert row(said, "host").startswith("host surroundings environment AORIST_HOST")
    assert row(said, "port").startswith(f"port 1 file {file}")
    assert row(said, "page_limit").startswith("page_limit 200 default")


def test_a_file_is_found_by_name_and_by_variable(embedded: Program, folder: Path) -> None:
    (folder / "aorist.yaml").write_text("port: 7\n")
    (folder / "other.yaml").write_text("port: 8\n")
    assert row(embedded("config").out, "port").startswith("port 7 file aorist.yaml")
    said = embedded("config", env={"AORIST_CONFIG": "other.yaml"}).out
    assert row(said, "port").startswith("port 8 file other.yaml")


def test_passwords_are_not_shown(embedded: Program, folder: Path) -> None:
    env = {
        # pragma: allowlist nextline secret
        "AORIST_CONTEXT_DATABASE_URLS": '{"banking": "postgresql://a:secret@h/d"}'
    }
    said = embedded("config", env=env).out
    assert "secret" not in said
    assert "postgresql://a:***@h/d" in said


@pytest.mark.parametrize("verb", ["config", "serve", "work", "migrate", "demo", "check"])
def test_a_wrong_value_is_refused_with_its_name_and_origin(
    embedded: Program, folder: Path, verb: str
) -> None:
    done = embedded(verb, code=2, env={"AORIST_PORT": "many"})
    assert "port (from environment AORIST_PORT)" in done.err
    assert "'many'" in done.err


WRONG = {
    "unknown in the file": ("colour: red", {}, "aorist.yaml: unknown setting 'colour'"),
    "unknown in the environment": ("", {"AORIST_COLOUR": "x"}, "unknown setting AORIST_COLOUR"),
    "not YAML": ("a: [", {}, "aorist.yaml is not YAML"),
    "not a mapping": ("- 1", {}, "must map names to values"),
    "wrong in the file": ("port: 99999", {}, "port (from file aorist.yaml)"),
    "every origin": ("cors_origins: ['*']", {}, "cors_origins (from file aorist.yaml)"),
    "an origin with a path": (
        "",
        {"AORIST_CORS_ORIGINS": '["https://shop.example/"]'},
        "'https://shop.example/' is no origin",
    ),
    "origins that are no list": ("", {"AORIST_CORS_ORIGINS": "https://x.example"}, "JSON"),
    "no such file": ("", {"AORIST_CONFIG": "no.yaml"}, "no.yaml does not exist"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_configuration_is_named(embedded: Program, folder: Path, what: str) -> None:
    text, env, named = WRONG[what]
    (folder / "aorist.yaml").write_text(text)
    assert named in embedded("config", code=2, env=env).err


def test_doctor_finds_nothing_on_a_sound_store(aorist: Program, folder: Path) -> None:
    lines = aorist("doctor").out.splitlines()
    assert lines[0] == "ok    configuration is valid"
    assert all(line.startswith("ok ") for line in lines)
    assert len(lines) == 2 + len(CONTEXTS)


def test_doctor_names_the_remedy(embedded: Program, folder: Path) -> None:
    fresh = Program(f"sqlite:///{folder}/fresh.db", folder)
    assert "run `aorist migrate`" in fresh("doctor", code=1).out
    assert "banking: at revision" in fresh("migrate").out
    assert "MEND" not in fresh("doctor").out
    nowhere = {"AORIST_SMTP_HOST": "127.0.0.1", "AORIST_SMTP_PORT": "1"}
    told = fresh("doctor", code=1, env=nowhere).out
    assert "MEND  mail server 127.0.0.1:1 takes no letters (ConnectionRefusedError)" in told
    away = Program("postgresql://nobody@127.0.0.1:1/nothing", folder)
    assert "is it running, and is database_url right?" in away("doctor", code=1).out
    wrong = Program("mysql://x", folder)
    assert "MEND  configuration: database_url (from option)" in wrong("doctor", code=2).out


def test_a_store_that_is_away_is_one_sentence(folder: Path) -> None:
    away = Program("postgresql://nobody@127.0.0.1:1/nothing", folder)
    said = away("events", code=1).err
    assert said.startswith("aorist: postgresql://nobody@127.0.0.1:1/nothing")
    assert len(said.splitlines()) == 1


def test_origins_are_a_list(embedded: Program, folder: Path) -> None:
    env = {"AORIST_CORS_ORIGINS": '["https://shop.example", "http://localhost:5173"]'}
    said = embedded("config", env=env).out
    assert "('https://shop.example', 'http://localhost:5173')" in row(said, "cors_origins")


def test_a_password_is_not_shown(embedded: Program, folder: Path) -> None:
    said = embedded("config", env={"AORIST_KAFKA_PASSWORD": "only between us"}).out
    assert "only between us" not in said
    assert row(said, "kafka_password").startswith("kafka_password ***")
