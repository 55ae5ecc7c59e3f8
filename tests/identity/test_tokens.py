"""Tokens that somebody else made, changed, or shows where or when they are not good."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from infra.keys import Keys, make_key
from infra.tokens import ACCESS, MAX_TOKEN, BadToken, Tokens
from tests.scenario import MovableClock

USER, SESSION = UUID(int=0xADA), UUID(int=0x51)
MINUTES = timedelta(minutes=10)


class Issuer:
    """Makes tokens, and whatever an attacker makes of them."""

    def __init__(self, folder: Path) -> None:
        self.clock = MovableClock()
        self.folder = folder
        self.keys = Keys(folder, self.clock)
        self.tokens = Tokens(self.keys, self.clock, MINUTES)
        self.good = self.tokens.access(USER, SESSION)
        self.header: dict[str, Any] = jwt.get_unverified_header(self.good)
        self.claims: dict[str, Any] = jwt.decode(self.good, options={"verify_signature": False})

    def signed(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        """Sign with our own key what we would not sign."""
        _, key = self.keys.newest
        text = _encoded(header) + "." + _encoded(claims)
        return text + "." + _base64(key.sign(text.encode()))

    def with_claims(self, **claims: Any) -> str:
        """Sign ours with other claims; None leaves one out."""
        changed = {k: v for k, v in (self.claims | claims).items() if v is not None}
        return self.signed(self.header, changed)

    def of_another_key(self, **header: Any) -> str:
        """Sign with a key of the attacker's."""
        text = _encoded(self.header | header) + "." + _encoded(self.claims)
        return text + "." + _base64(Ed25519PrivateKey.generate().sign(text.encode()))

    def with_the_public_key_as_secret(self) -> str:
        """Sign by HMAC with what everybody may know."""
        _, key = self.keys.newest
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        text = _encoded(self.header | {"alg": "HS256"}) + "." + _encoded(self.claims)
        return text + "." + _base64(hmac.digest(public, text.encode(), hashlib.sha256))

    def unsigned(self, algorithm: str) -> str:
        """Sign by nothing."""
        return _encoded(self.header | {"alg": algorithm}) + "." + _encoded(self.claims) + "."


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _encoded(value: object) -> str:
    return _base64(json.dumps(value).encode())


def _flipped(token: str) -> str:
    head, body, signature = token.split(".")
    other = "B" if signature[5] == "A" else "A"
    return ".".join((head, body, signature[:5] + other + signature[6:]))


ATTACKS: dict[str, Callable[[Issuer], str]] = {
    "no algorithm": lambda it: it.unsigned("none"),
    "no algorithm, spelt otherwise": lambda it: it.unsigned("nOnE"),
    "another algorithm, by the public key": lambda it: it.with_the_public_key_as_secret(),
    "another algorithm's name": lambda it: it.signed(it.header | {"alg": "ES256"}, it.claims),
    "another key": lambda it: it.of_another_key(),
    "a key that it brings along": lambda it: it.of_another_key(
        # The public key of RFC 8037.
        # pragma: allowlist nextline secret
        jwk={"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    ),
    "a key elsewhere": lambda it: it.of_another_key(jku="https://example.org/keys"),
    "a file as key id": lambda it: it.of_another_key(kid="../../../../dev/null"),
    "a statement as key id": lambda it: it.of_another_key(kid="' OR 1=1 --"),
    "a number as key id": lambda it: it.of_another_key(kid=7),
    "no key id": lambda it: it.signed(
        {k: v for k, v in it.header.items() if k != "kid"}, it.claims
    ),
    "a critical extension": lambda it: it.signed(it.header | {"crit": ["x"], "x": 1}, it.claims),
    "another audience": lambda it: it.with_claims(aud="elsewhere"),
    "no audience": lambda it: it.with_claims(aud=None),
    "another issuer": lambda it: it.with_claims(iss="elsewhere"),
    "no issuer": lambda it: it.with_claims(iss=None),
    "no end": lambda it: it.with_claims(exp=None),
    "an end that is no number": lambda it: it.with_claims(exp="2099-01-01"),
    "an end that is no finite number": lambda it: it.with_claims(exp=float("inf")),
    "it has run out": lambda it: it.with_claims(exp=int(datetime.now().timestamp()) - 1),  # noqa: DTZ005
    "no user": lambda it: it.with_claims(sub=None),
    "a user who is none": lambda it: it.with_claims(sub="root"),
    "no session": lambda it: it.with_claims(sid=None),
    "a session that is none": lambda it: it.with_claims(sid=["x"]),
    "a refresh token": lambda it: it.tokens.refresh(USER, SESSION, 1, it.clock.now() + MINUTES),
    "of no kind": lambda it: it.signed(
        {k: v for k, v in it.header.items() if k != "typ"}, it.claims
    ),
    "a changed signature": lambda it: _flipped(it.good),
    "another's claims": lambda it: ".".join(
        (
            it.good.split(".")[0],
            _encoded(it.claims | {"sub": str(UUID(int=7))}),
            it.good.split(".")[2],
        )
    ),
    "two parts": lambda it: it.good.rpartition(".")[0],
    "four parts": lambda it: it.good + ".x",
    "nothing": lambda it: "",
    "no text": lambda it: "\x00é🙂",
    "claims that are a list": lambda it: it.signed(it.header, []),  # type: ignore[arg-type]
    "too long": lambda it: it.good + "x" * MAX_TOKEN,
    "deep": lambda it: _base64(b"[" * 1_400) + ".x.y",
}


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path / "keys")


def test_a_good_token_is_read(issuer: Issuer) -> None:
    assert issuer.header["typ"] == ACCESS
    assert issuer.tokens.read_access(issuer.good) == (USER, SESSION)
    resigned = issuer.signed(issuer.header, issuer.claims)
    assert issuer.tokens.read_access(resigned) == (USER, SESSION), "attacks fail by one thing"


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_bad_token_is_refused(issuer: Issuer, attack: str) -> None:
    with pytest.raises(BadToken):
        issuer.tokens.read_access(ATTACKS[attack](issuer))


def test_a_token_runs_out(issuer: Issuer) -> None:
    issuer.clock.moved += MINUTES - timedelta(seconds=2)
    assert issuer.tokens.read_access(issuer.good)
    issuer.clock.moved += timedelta(seconds=2)
    with pytest.raises(BadToken, match="has run out"):
        issuer.tokens.read_access(issuer.good)


def test_a_signature_is_checked_once(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests beside this one show that what was checked once is not good for ever."""
    for _ in range(3):
        assert issuer.tokens.read_access(issuer.good) == (USER, SESSION)
        monkeypatch.setattr(jwt, "decode", None)
    assert len(issuer.tokens._known) == 1


def test_what_is_remembered_of_tokens_is_bounded(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.tokens.MAX_KNOWN", 2)
    for number in range(5):
        issuer.tokens.read_access(issuer.tokens.access(USER, UUID(int=number)))
    assert len(issuer.tokens._known) == 2


def test_an_access_token_refreshes_nothing(issuer: Issuer) -> None:
    with pytest.raises(BadToken):
        issuer.tokens.read_refresh(issuer.good)


def test_a_token_of_a_key_that_was_taken_away_is_dead(issuer: Issuer) -> None:
    make_key(issuer.folder, issuer.clock.now())
    assert issuer.tokens.read_access(issuer.good)
    (issuer.folder / f"{issuer.header['kid']}.pem").unlink()
    with pytest.raises(BadToken, match="key is not known"):
        issuer.tokens.read_access(issuer.good)
    assert issuer.tokens.read_access(issuer.tokens.access(USER, SESSION))
