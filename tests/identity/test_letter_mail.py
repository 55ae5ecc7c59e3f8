"""The post: what it says of a letter follows from what a real server answers."""

import asyncio
import re
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from commands.identity.letter import Answer, Outcome
from domain.identity.letter import RESET, VERIFY
from infra.mail import post
from infra.mail.folder import MAX_KEPT, Folder
from infra.mail.letters import Writing
from infra.mail.smtp import Smtp
from infra.settings import Settings
from tests.certificates import HOST
from tests.identity.people import link_of
from tests.identity.postoffice import PostOffice, secured

TO, TOKEN = "ada@example.org", "token-of-ada"
SENT = Answer(Outcome.SENT)


def sent(office: PostOffice, to: str = TO, **fields: Any) -> Answer:
    """Send a letter to an office that is open meanwhile; return what came of it."""

    async def send() -> Answer:
        async with office.open():
            chosen: dict[str, Any] = {
                "smtp_host": HOST,
                "smtp_port": office.port,
                "smtp_security": "none",
            }
            settings = Settings(**(chosen | fields))
            return await post(settings).send(to, VERIFY, TOKEN)

    return asyncio.run(send())


def test_a_letter_is_handed_over_to_whom_it_is_for() -> None:
    office = PostOffice()
    assert sent(office, mail_from="Aorist <post@example.net>") == SENT
    heard = [line.lower().partition(" size")[0] for line in office.heard]
    assert {"mail from:<post@example.net>", f"rcpt to:<{TO}>"} <= set(heard)
    (letter,) = office.taken
    found: Any = message_from_bytes(letter, policy=default)
    assert (found["To"], found["From"]) == (TO, "Aorist <post@example.net>")
    assert link_of(found)[1] == TOKEN


@pytest.mark.parametrize(
    "sender", ["post@example.net", "Aorist <post@example.net>", "post@example.net (Aorist)"]
)
def test_a_letters_id_has_the_domain_of_its_sender(sender: str) -> None:
    letter = Writing(sender, "https://example.net").letter(TO, VERIFY, TOKEN)
    assert letter["Message-ID"].defects == (), "nothing that a header's parser had to mend"
    assert re.fullmatch(r"<[^@<>]+@example\.net>", str(letter["Message-ID"]))


def test_with_starttls_nothing_but_a_greeting_is_said_before(tmp_path: Path) -> None:
    tls, ca_file = secured(tmp_path)
    office = PostOffice(tls)
    given: dict[str, Any] = {"smtp_security": "starttls", "smtp_ca_file": ca_file}
    assert sent(office, **given, smtp_user="aorist", smtp_password="canary") == SENT
    verbs = [line.split()[0].lower() for line in office.heard]
    assert verbs[:4] == ["ehlo", "starttls", "ehlo", "auth"]


@pytest.mark.parametrize(
    ("tls", "trusted"), [(True, False), (False, False)], ids=["a stranger's", "none"]
)
def test_no_letter_goes_where_tls_is_wanted_and_not_right(
    tmp_path: Path, tls: bool, trusted: bool
) -> None:
    office = PostOffice(secured(tmp_path)[0] if tls else None)
    answer = sent(office, smtp_security="starttls", smtp_user="aorist", smtp_password="canary")
    assert answer.outcome is Outcome.AWAY
    assert office.taken == []
    assert not any("auth" in line.lower() for line in office.heard)


@pytest.mark.parametrize(
    ("answers", "outcome", "reason"),
    [
        ({"connect": "421 later"}, Outcome.AWAY, "SMTP 421"),
        ({"mail": "550 not from you"}, Outcome.AWAY, "SMTP 550"),
        ({"rcpt": "450 box is full"}, Outcome.AWAY, "SMTP 450"),
        ({"rcpt": "550 no ada@example.org"}, Outcome.REFUSED, "SMTP 550"),
        ({"data": "451 later"}, Outcome.AWAY, "SMTP 451"),
        ({"letter": "452 later"}, Outcome.AWAY, "SMTP 452"),
        ({"letter": "554 spam"}, Outcome.REFUSED, "SMTP 554"),
        ({"mail": ""}, Outcome.AWAY, "SMTPServerDisconnected"),
    ],
)
def test_what_the_server_says_is_told_without_its_words(
    answers: dict[str, str], outcome: Outcome, reason: str
) -> None:
    assert sent(PostOffice(answers=answers)) == Answer(outcome, reason)


def test_a_letter_that_was_taken_is_not_sent_again_for_a_bad_farewell() -> None:
    office = PostOffice(answers={"quit": "451 stay"})
    assert sent(office) == SENT
    assert len(office.taken) == 1


def test_a_server_that_is_not_there_is_away() -> None:
    office = PostOffice()
    assert sent(office) == SENT
    gone = Settings(smtp_host=HOST, smtp_port=office.port, smtp_security="none")
    answer = asyncio.run(post(gone).send(TO, VERIFY, TOKEN))
    assert answer == Answer(Outcome.AWAY, "ConnectionRefusedError")


def test_an_address_beyond_ascii_needs_a_server_that_knows_it() -> None:
    office, old = PostOffice(), PostOffice(offers=())
    assert sent(office, to="adá@příklad.cz") == SENT
    assert sent(old, to="adá@příklad.cz") == Answer(Outcome.REFUSED, "SMTPNotSupportedError")


def test_a_server_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.mail.smtp.ANSWER_S", 0.05)
    silent = PostOffice(answers={"connect": ""})
    assert sent(silent) == Answer(Outcome.AWAY, "SMTPServerDisconnected")


def test_it_is_told_whether_letters_could_be_handed_over() -> None:
    async def fault(office: PostOffice) -> str | None:
        async with office.open():
            settings = Settings(smtp_host=HOST, smtp_port=office.port, smtp_security="none")
            mail = post(settings)
            assert isinstance(mail, Smtp)
            return await mail.fault()

    assert asyncio.run(fault(PostOffice())) is None
    assert asyncio.run(fault(PostOffice(answers={"connect": "554 go away"}))) == "SMTP 554"


def test_without_a_server_letters_are_files_for_their_owner_only(tmp_path: Path) -> None:
    folder = post(Settings(mail_folder=tmp_path / "mail"))
    assert isinstance(folder, Folder)
    assert asyncio.run(folder.send(TO, RESET, TOKEN)) == SENT
    (file,) = (tmp_path / "mail").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "mail").stat().st_mode & 0o777 == 0o700
    assert isinstance(post(Settings(smtp_host="mail.example.org")), Smtp)


def test_the_folder_keeps_the_newest_letters(tmp_path: Path) -> None:
    for number in range(MAX_KEPT + 2):
        (tmp_path / f"20260101T{number:06}Z-x.eml").touch()
    asyncio.run(post(Settings(mail_folder=tmp_path)).send(TO, RESET, TOKEN))
    names = sorted(file.name for file in tmp_path.iterdir())
    assert len(names) == MAX_KEPT
    assert TOKEN in (tmp_path / names[-1]).read_text()
