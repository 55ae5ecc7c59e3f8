"""Letters with tokens: sent once asked for, good once and for a while, and never lost."""

from datetime import timedelta

import pytest
from pydantic import SecretStr

from commands.identity.letter import Answer, AskForVerification, VerifyEmail, digest
from commands.identity.user import About, ChangeEmail, RevisePerson
from domain.identity.letter import (
    ASKED_WITHIN,
    LIFETIMES,
    MAX_ASKED,
    MAX_ATTEMPTS,
    VERIFY,
    LetterAsked,
    LetterDelayed,
    LetterGivenUp,
    LetterSent,
    LetterSpent,
    TokenNotGood,
    TooManyLetters,
)
from domain.identity.user import EmailVerified
from infra.mail.folder import Folder
from projections.identity.user import user
from tests.identity.people import ADA, letters, link_of, newest_token, register
from tests.scenario import TELLER, Scenario

again = AskForVerification(user_id=ADA)


@pytest.fixture
def ada(identity: Scenario) -> Scenario:
    return identity.when(register())


@pytest.fixture
def away(identity: Scenario) -> Scenario:
    """Ada has registered while the folder for letters could not be written to."""
    identity.system.settings.mail_folder.parent.mkdir(parents=True, exist_ok=True)
    identity.system.settings.mail_folder.touch()
    return identity.when(register())


def verified(scenario: Scenario) -> object:
    return scenario.rows(user(ADA))["verified"]


def test_who_registers_gets_a_letter_and_its_token_verifies_the_address(ada: Scenario) -> None:
    *_, asked, sent = ada.new_facts()
    assert isinstance(asked, LetterAsked)
    assert isinstance(sent, LetterSent)
    (letter,) = letters(ada)
    assert letter["To"] == asked.email == "ada@example.org"
    assert not verified(ada)
    ada.when(VerifyEmail(token=newest_token(ada)))
    ada.then(EmailVerified(email="ada@example.org"), LetterSpent())
    assert verified(ada)


def test_of_a_token_a_hash_is_kept_and_nothing_else(ada: Scenario) -> None:
    token = newest_token(ada).get_secret_value()
    assert len(token.partition(".")[2]) >= 43, "256 bits"
    ada.when(VerifyEmail(token=SecretStr(token)))
    sqlite = ada.system.databases["identity"].is_sqlite
    tables = (f"identity{'_' if sqlite else '.'}{name}" for name in ("events", "receipts"))
    kept = "".join(str(row) for table in tables for row in ada.sql(f"SELECT * FROM {table}"))
    assert digest(token) in kept
    assert token not in kept
    assert token.partition(".")[2] not in kept


def test_a_token_is_good_once(ada: Scenario) -> None:
    token = newest_token(ada)
    ada.when(VerifyEmail(token=token))
    ada.when(VerifyEmail(token=token)).refused(TokenNotGood)


def test_another_token_is_not_good(ada: Scenario) -> None:
    others = ("", "x", f"{ADA.hex}.", f"{ADA.hex}.guessed", "\x00.é")
    shown = [VerifyEmail(token=SecretStr(token)) for token in others]
    ada.when(*shown).refused(*[TokenNotGood] * len(others))


def test_a_token_runs_out(ada: Scenario) -> None:
    ada.after(LIFETIMES[VERIFY])
    ada.when(VerifyEmail(token=newest_token(ada))).refused(TokenNotGood)


def test_the_newest_token_is_good_and_no_older_one(ada: Scenario) -> None:
    old = newest_token(ada)
    ada.when(again)
    assert len(letters(ada)) == 2
    ada.when(VerifyEmail(token=old)).refused(TokenNotGood)
    ada.when(VerifyEmail(token=newest_token(ada)))
    assert verified(ada)
    ada.when(again).then()


def test_so_many_letters_are_sent_in_a_day_and_no_more(ada: Scenario) -> None:
    for _ in range(MAX_ASKED - 1):
        assert not ada.when(again).refusals
    ada.when(again).refused(TooManyLetters)
    ada.when(ChangeEmail(user_id=ADA, email="other@example.org")).refused(TooManyLetters)
    ada.after(ASKED_WITHIN)
    assert not ada.when(again).refusals
    assert len(letters(ada)) == MAX_ASKED + 1


def test_another_address_is_to_be_verified_again_by_a_letter_to_itself(ada: Scenario) -> None:
    ada.when(VerifyEmail(token=newest_token(ada)), again)
    ada.when(ChangeEmail(user_id=ADA, email="ada@example.net"))
    assert not verified(ada)
    assert letters(ada)[-1]["To"] == "ada@example.net"
    ada.when(VerifyEmail(token=newest_token(ada)))
    assert verified(ada)


def test_a_letter_to_the_old_address_verifies_nothing(ada: Scenario) -> None:
    old, folder = newest_token(ada), ada.system.settings.mail_folder
    folder.rename(folder.with_suffix(".away"))
    folder.touch()  # the letter to the new address is on its way
    ada.when(ChangeEmail(user_id=ADA, email="ada@example.net"))
    ada.when(VerifyEmail(token=old)).refused(TokenNotGood)


def test_a_letter_waits_for_the_post_ever_longer_and_is_sent_when_it_is_back(
    away: Scenario,
) -> None:
    assert isinstance(away.new_facts()[-1], LetterDelayed)
    for attempt, minutes in ((2, 1), (3, 2), (4, 4)):
        away.after(timedelta(minutes=minutes, seconds=-5)).then()
        (delayed,) = away.after(timedelta(seconds=10)).new_facts()
        assert isinstance(delayed, LetterDelayed)
        assert (delayed.attempt, delayed.reason) == (attempt, "FileExistsError")
    away.system.settings.mail_folder.unlink()
    (sent,) = away.after(timedelta(minutes=9)).new_facts()
    assert isinstance(sent, LetterSent)
    away.when(VerifyEmail(token=newest_token(away)))
    assert verified(away)


def test_asking_while_one_waits_asks_for_no_second_one(away: Scenario) -> None:
    away.when(again).then()


def test_a_letter_that_nobody_takes_is_given_up_and_can_be_asked_for_again(
    away: Scenario,
) -> None:
    for _ in range(MAX_ATTEMPTS - 1):
        away.after(timedelta(hours=7))
    away.then(LetterGivenUp(reason="FileExistsError"))
    away.after(timedelta(days=1)).then()
    away.system.settings.mail_folder.unlink()
    away.when(again)
    assert len(letters(away)) == 1


def test_a_letter_that_waits_goes_to_the_newest_address(away: Scenario) -> None:
    away.when(ChangeEmail(user_id=ADA, email="ada@example.net"))
    away.system.settings.mail_folder.unlink()
    away.after(timedelta(minutes=5))
    assert [letter["To"] for letter in letters(away)] == ["ada@example.net"]
    away.when(VerifyEmail(token=newest_token(away)))
    assert verified(away)


def test_whatever_else_happens_while_it_is_sent_it_is_sent_once(
    identity: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Folder.send

    async def slow(self: Folder, to: str, purpose: str, token: str) -> Answer:
        revise = RevisePerson(user_id=ADA, person=About(name="Countess"))
        await identity.system.dispatch(revise, TELLER)
        return await send(self, to, purpose, token)

    monkeypatch.setattr(Folder, "send", slow)
    identity.when(register())
    assert len(letters(identity)) == 1
    identity.when(VerifyEmail(token=newest_token(identity)))
    assert verified(identity)


def test_the_link_leads_to_the_page_that_takes_the_token(ada: Scenario) -> None:
    page, _ = link_of(letters(ada)[0])
    assert page == "http://127.0.0.1:8000/api/v1/verify-email"
    assert letters(ada)[0]["Auto-Submitted"] == "auto-generated"
