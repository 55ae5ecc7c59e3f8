"""What can be configured: defaults, then a YAML file, then `AORIST_…`, then options."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from infra.secrecy import HIDDEN, is_secret, require_store

MEMORY_KIB, PASSES = 19 * 1024, 2
"""The least that the OWASP Password Storage Cheat Sheet asks of Argon2id; 31 ms on one core."""
ENV_PREFIX = "AORIST_"
CONFIG_VARIABLE = "AORIST_CONFIG"
DEFAULT_FILE = Path("aorist.yaml")
ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")
"""An origin as browsers write it (RFC 6454, 6.2). There is no `*`: each one is named."""
OTHER_VARIABLES = {
    CONFIG_VARIABLE,
    "AORIST_TEST_POSTGRES_URL",
    "AORIST_TEST_KAFKA_BOOTSTRAP",
    "AORIST_TEST_REDIS_URL",
}
"""Variables with the prefix that are no settings."""


class WrongConfiguration(Exception):
    """A setting has a value that cannot be used; the message names it and where it came from."""


class Settings(BaseSettings):
    """Every setting, with its default and its meaning."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="forbid", frozen=True)

    database_url: str = Field(
        default="sqlite:///data/aorist.db",
        description="where logs and read models are kept: sqlite:///FILE or postgresql://…",
    )
    context_database_urls: dict[str, str] = Field(
        default_factory=dict,
        description="a database of its own for a context: {banking: URL}",
    )
    database_owner: str = Field(
        default="", description="PostgreSQL role that `aorist migrate` migrates as, if another one"
    )
    database_owner_password: SecretStr = Field(
        default=SecretStr(""), description="its password, which no other verb needs"
    )
    development: bool = Field(
        default=False, description="accept the caller's name from the header Aorist-Actor"
    )
    host: str = Field(default="127.0.0.1", description="address the API listens on")
    port: int = Field(default=8000, ge=0, le=65535, description="port the API listens on")
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto", description="auto: readable in a terminal, JSON otherwise"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="the least grave lines that are written"
    )
    keys_folder: Path = Field(
        default=Path("data/keys"),
        description="the keys that tokens are signed with; one is made where there is none",
    )
    access_token_s: int = Field(
        default=600, ge=1, le=86_400, description="how long an access token is good, in seconds"
    )
    login_tries: int = Field(
        default=10,
        ge=1,
        le=1_000_000,
        description="tries in five minutes to log in to an account from an address",
    )
    password_memory_kib: int = Field(
        default=MEMORY_KIB, ge=8, le=1_048_576, description="memory that hashing a password takes"
    )
    password_passes: int = Field(
        default=PASSES, ge=1, le=100, description="how often hashing goes through that memory"
    )
    public_url: str = Field(
        default="http://127.0.0.1:8000",
        pattern=r"^https?://[^\s#?]+$",
        description="where the API is found from outside: links in letters begin so",
    )
    mail_from: str = Field(
        default="aorist@localhost",
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="sender of letters",
    )
    mail_folder: Path = Field(
        default=Path("data/mail"),
        description="letters are files there as long as smtp_host is empty",
    )
    smtp_host: str = Field(default="", description="mail server that letters are handed to")
    smtp_port: int = Field(default=587, ge=1, le=65535, description="its port")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="how it is spoken to; tls from the first byte, as on port 465",
    )
    smtp_user: str = Field(default="", description="name for the mail server, if it asks for one")
    smtp_password: SecretStr = Field(
        default=SecretStr(""), description="password for the mail server"
    )
    smtp_ca_file: Path | None = Field(
        default=None, description="PEM file that vouches for it, if not the system's"
    )
    append_batch: int = Field(default=500, ge=1, le=1000, description="appends in one transaction")
    append_queue: int = Field(
        default=10_000,
        ge=1,
        le=1_000_000,
        description="appends that may wait; more are answered 503",
    )
    commands_in_flight: int = Field(
        default=20_000,
        ge=1,
        le=1_000_000,
        description="commands on their way in a process; more are answered 503",
    )
    cached_states: int = Field(
        default=50_000, ge=0, description="aggregates kept in memory per context"
    )
    snapshots: bool = Field(
        default=True,
        description="start from a snapshot when a long stream is loaded; false folds all of it",
    )
    database_connections: int = Field(
        default=10, ge=2, le=500, description="per database and process"
    )
    reader_batch: int = Field(
        default=500,
        ge=1,
        le=5000,
        description="facts a reader handles at once; a projection far behind takes up to ten times",
    )
    reader_poll_ms: int = Field(
        default=200, ge=1, le=60_000, description="how often a reader looks when nothing woke it"
    )
    reader_tries: int = Field(
        default=4,
        ge=1,
        le=20,
        description="tries of a fact that a reader cannot handle, before it is parked",
    )
    watch_facts_per_s: int = Field(
        default=500,
        ge=0,
        le=1_000_000,
        description="facts a second at most in which invariants are watched over; 0 watches none",
    )
    drift_facts_per_s: int = Field(
        default=500,
        ge=0,
        le=1_000_000,
        description="facts a second from which rows are folded to audit live ones; 0 audits none",
    )
    timer_poll_ms: int = Field(
        default=500, ge=1, le=60_000, description="how often deadlines are checked"
    )
    wait_ms: int = Field(
        default=3_000,
        ge=0,
        le=60_000,
        description="how long a query waits for the position it asks for",
    )
    lag_budget: int = Field(
        default=10_000, ge=1, description="facts a reader may be behind before /readyz says so"
    )
    body_bytes: int = Field(default=1_000_000, ge=1_000, description="largest request body")
    request_s: float = Field(
        default=30, gt=0, le=600, description="how long a request may take, in seconds"
    )
    client_s: float = Field(
        default=20,
        gt=0,
        le=600,
        description="how long a client may take to send a head or a body, or to read, in seconds",
    )
    connections: int = Field(
        default=1_000, ge=1, le=100_000, description="clients that may be connected at once"
    )
    caller_requests: int = Field(
        default=6_000,
        ge=1,
        le=1_000_000_000,
        description="requests of one caller in a minute; more are answered 429",
    )
    cors_origins: tuple[str, ...] = Field(
        default=(),
        description="origins whose pages may call the API from a browser: [https://shop.example]",
    )
    page_limit: int = Field(default=200, ge=1, le=1000, description="most items on one page")

    cache_bytes: int = Field(
        default=16_000_000,
        ge=0,
        le=10_000_000_000,
        description="memory for answers of hot queries, per process; 0 keeps none",
    )
    redis_url: str = Field(
        default="",
        description="a Redis that processes share for limits and cached answers: redis://…",
    )
    redis_prefix: str = Field(
        default="aorist",
        pattern=r"^[A-Za-z0-9_-]{1,100}$",
        description="first word of the keys in Redis: one for each system that shares it",
    )
    redis_ms: int = Field(
        default=50, ge=1, le=5_000, description="how long Redis may take before it counts as away"
    )

    kafka_bootstrap: str = Field(
        default="", description="Kafka brokers that `aorist relay` mirrors to: HOST:PORT,HOST:PORT"
    )
    kafka_prefix: str = Field(
        default="aorist",
        pattern=r"^[A-Za-z0-9_-]{1,100}$",
        description="first word of the mirror's topics: aorist.banking",
    )
    kafka_partitions: int = Field(
        default=6, ge=1, le=1000, description="partitions of a mirror's topic, when it is made"
    )

    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="how Kafka brokers are spoken to; SSL is TLS"
    )
    kafka_mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"] = Field(
        default="SCRAM-SHA-512", description="how they are told the password, with SASL"
    )
    kafka_user: str = Field(default="", description="name for Kafka brokers, with SASL")
    kafka_password: SecretStr = Field(
        default=SecretStr(""), description="password for Kafka brokers, with SASL"
    )
    kafka_ca_file: Path | None = Field(
        default=None, description="PEM file that vouches for Kafka brokers, if not the system's"
    )
    kafka_certificate_file: Path | None = Field(
        default=None, description="PEM file with the certificate that Kafka brokers ask for, if any"
    )
    kafka_key_file: Path | None = Field(
        default=None, description="PEM file with that certificate's key"
    )
    schema_registry_url: str = Field(
        default="",
        description="schema registry that gives the mirror's schemas their ids, if not their own: "
        "http(s)://[USER:PASSWORD@]HOST:PORT",
    )
    relay_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="port on which `aorist relay` answers /livez, /readyz and /metrics, if at all",
    )

    @field_validator("schema_registry_url")
    @classmethod
    def _known_registry(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError(f"{value!r} is no address of a registry; use http(s)://HOST:PORT")
        return value

    @field_validator("database_url", "context_database_urls")
    @classmethod
    def _known_store(cls, value: Any) -> Any:
        for url in value.values() if isinstance(value, dict) else [value]:
            require_store(url)
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is no origin; write it like https://shop.example")
        return value

    @field_validator("redis_url")
    @classmethod
    def _known_redis(cls, value: str) -> str:
        if value and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("that names no Redis; use redis://:PASSWORD@HOST:PORT/DATABASE")
        return value

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Let its text hold no secrets, wherever it is written to."""
        for name, value in super().__repr_args__():
            yield name, HIDDEN if is_secret(type(self), name or "") else value

    def url_of(self, context: str) -> str:
        """Return the database URL of a context."""
        return self.context_database_urls.get(context, self.database_url)
