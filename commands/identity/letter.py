"""Letters: asked for, sent, and what their tokens are good for."""

from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any, Protocol
from uuid import UUID

import msgspec
from pydantic import Field, SecretStr

from commands import Change, Clock, Ids, Log, Receipt, command, handles
from commands.identity.password import Password, Passwords, replacing
from commands.identity.session import Login, user_of
from domain.identity.letter import RESET, VERIFY, Letter, TokenNotGood, letter_id
from domain.identity.user import User

MAX_TOKEN = 200
Token = Annotated[SecretStr, Field(max_length=MAX_TOKEN, examples=["0190….kZ3…"])]
"""What stands behind the # in a letter's link."""


class Outcome(StrEnum):
    """What came of sending."""

    SENT = "sent"
    AWAY = "away"
    """Nobody took it; somebody may later."""
    REFUSED = "refused"
    """It is not taken, whenever it is sent."""


class Answer(msgspec.Struct, frozen=True):
    """What came of sending, and why it was not taken: in a word that names nobody."""

    outcome: Outcome
    reason: str = ""


class Mail(Protocol):
    """The post. It never raises, and answers within a bound."""

    async def send(self, to: str, purpose: str, token: str) -> Answer:
        """Send the letter that is written for a purpose."""
        ...


@command
class AskForVerification:
    """Have the letter sent again by which the user verifies the e-mail address."""

    user_id: UUID


@command
class AskForReset:
    """Have a letter sent by which a user, named by e-mail address or username, gets in again."""

    login: Login


@command
class SendLetter:
    """Hand a letter to the post, or try to again."""

    user_id: UUID
    purpose: str


@command
class VerifyEmail:
    """Show the token of a letter: its reader has the address."""

    token: Token


@command
class ResetPassword:
    """Show the token of a letter and take another password; all logins end."""

    token: Token
    new: Password


@handles(AskForVerification)
async def ask_for_verification(c: AskForVerification, log: Log, clock: Clock) -> Receipt:
    """Ask, unless there is nothing to verify."""
    user = await log.load(User, c.user_id)
    user.require_active()
    asking = asking_for(VERIFY, c.user_id, user.email, clock)
    return await log.change_all(
        Change(User, c.user_id, lambda user: []),
        *([] if user.verified else [asking]),
    )


@handles(AskForReset)
async def ask_for_reset(c: AskForReset, log: Log, clock: Clock) -> Receipt:
    """Ask; whoever has no such user is refused by the same way, as late as others are not."""
    user_id = await user_of(log, c.login)
    user = await log.load(User, user_id)
    await log.load(Letter, letter_id(user_id, RESET))
    user.require_active()
    return await log.change_all(asking_for(RESET, user_id, user.email, clock))


def asking_for(purpose: str, user_id: UUID, email: str, clock: Clock) -> Change[Letter]:
    """Return the change that asks for a letter to an address."""
    now = clock.now()
    id = letter_id(user_id, purpose)
    return Change(Letter, id, lambda letter: letter.ask(user_id, purpose, email, now))


@handles(SendLetter, step=True)
async def send_letter(c: SendLetter, log: Log, clock: Clock, ids: Ids, mail: Mail) -> Receipt:
    """Send first, then keep the token's hash: a letter is sent twice rather than never.

    Nothing but the letter is looked at: whatever else moved meanwhile would have it sent again.
    """
    id = letter_id(c.user_id, c.purpose)
    letter = await log.load(Letter, id)
    if not letter.pending:
        return await log.change(Letter, id, lambda letter: [])
    token, now = f"{c.user_id.hex}.{ids.secret()}", clock.now()
    answer = await mail.send(letter.to, c.purpose, token)
    match answer.outcome:
        case Outcome.SENT:
            return await log.change(Letter, id, lambda letter: letter.sent(digest(token), now))
        case Outcome.AWAY:
            return await log.change(Letter, id, lambda letter: letter.delayed(answer.reason))
    return await log.change(Letter, id, lambda letter: letter.give_up(answer.reason))


@handles(VerifyEmail)
async def verify_email(c: VerifyEmail, log: Log, clock: Clock) -> Receipt:
    """Use the token up."""
    _, changes = await _redeeming(log, c.token, VERIFY, clock)
    return await log.change_all(*changes)


@handles(ResetPassword)
async def reset_password(c: ResetPassword, log: Log, clock: Clock, passwords: Passwords) -> Receipt:
    """Use the token up; for another one no hash is made."""
    user_id, changes = await _redeeming(log, c.token, RESET, clock)
    hash = await passwords.hash(c.new.get_secret_value())
    return await log.change_all(*changes, *await replacing(log, user_id, hash))


async def _redeeming(
    log: Log, token: SecretStr, purpose: str, clock: Clock
) -> tuple[UUID, list[Change[Any]]]:
    """Return whose token it is, and the changes that use it up. Raises `TokenNotGood`."""
    text, now = token.get_secret_value(), clock.now()
    try:
        user_id = UUID(hex=text.partition(".")[0])
    except ValueError:
        raise TokenNotGood from None
    id, hash = letter_id(user_id, purpose), digest(text)
    letter = await log.load(Letter, id)
    letter.redeem(hash, now)
    (await log.load(User, user_id)).verify_email(letter.email)
    return user_id, [
        Change(User, user_id, lambda user: user.verify_email(letter.email)),
        Change(Letter, id, lambda letter: letter.redeem(hash, now)),
    ]


def digest(token: str) -> str:
    """Return what is kept of a token; nobody guesses 256 random bits, so it need not be slow."""
    return sha256(token.encode()).hexdigest()
