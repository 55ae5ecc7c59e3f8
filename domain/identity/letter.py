"""Letters to a user by e-mail, with a token that proves who reads them.

They are for verifying the address, or for another password. The newest token of each kind is
good, once, for a while.
"""

from datetime import datetime, timedelta
from uuid import UUID, uuid5

from domain import Event, Forbidden, Personal, Refused, Secret, State

LETTERS = UUID("0d1f6b0e-6a3b-4f38-9a52-0b1d6a8f7c33")
"""Namespace of the letters' stream ids."""
VERIFY, RESET = "verify", "reset"
"""What letters are for; each has its stream."""
LIFETIMES = {VERIFY: timedelta(days=3), RESET: timedelta(hours=1)}
"""How long their tokens are good."""
MAX_ASKED, ASKED_WITHIN = 5, timedelta(days=1)
"""So many letters of a kind a user gets in so long: nobody's box is filled through us."""
MAX_ATTEMPTS = 20
"""How often a letter is sent, ever later, before it is given up: three days all in all."""


class LetterAsked(Event, frozen=True):
    """A letter is to be sent."""

    TOPIC = "identity.letter.asked"
    user_id: UUID
    purpose: str
    email: Personal[str]
    asked_at: datetime


class LetterSent(Event, frozen=True):
    """A mail server has it."""

    TOPIC = "identity.letter.sent"
    hash: Secret[str]
    """Of the token that is in it: SHA-256, in hexadecimal."""
    until: datetime


class LetterDelayed(Event, frozen=True):
    """No mail server took it; it is sent again."""

    TOPIC = "identity.letter.delayed"
    attempt: int
    reason: str


class LetterGivenUp(Event, frozen=True):
    """It is not sent."""

    TOPIC = "identity.letter.given_up"
    reason: str


class LetterSpent(Event, frozen=True):
    """Its token is good no longer: it was used, or something else was."""

    TOPIC = "identity.letter.spent"


class TooManyLetters(Refused, code="too_many_letters"):
    """The user was sent enough letters of this kind lately."""


class TokenNotGood(Forbidden, code="token_not_good"):
    """The token is none of ours, was used, has run out, or is for another address."""

    def __init__(self) -> None:
        super().__init__("this link is not good, or not any more; ask for another one")


class Letter(State, frozen=True):
    """The letters of one kind to one user."""

    KIND = "identity.letter"
    OWNER = "user_id"
    user_id: UUID | None = None
    purpose: str = ""
    pending: bool = False
    """Whether one is on its way."""
    attempts: int = 0
    given_up: str = ""
    """Why the last one was not sent; empty when it was."""
    asked: tuple[datetime, ...] = ()
    """When the last ones were asked for, the oldest first."""
    to: str = ""
    """Where the one that is on its way goes."""
    email: str = ""
    """Where the last one that was sent went."""
    hash: Secret[str] = ""
    """Of the token that is good; empty for none."""
    until: datetime | None = None

    def ask(self, user_id: UUID, purpose: str, email: str, now: datetime) -> list[Event]:
        """Have a letter sent, unless one is on its way there. Raises `TooManyLetters`."""
        if self.pending and self.to == email:
            return []
        if len(self.asked) == MAX_ASKED and now - self.asked[0] < ASKED_WITHIN:
            again = self.asked[0] + ASKED_WITHIN
            raise TooManyLetters(
                f"{MAX_ASKED} letters were sent in a day; look for them, or ask again after "
                f"{again:%Y-%m-%d %H:%M} UTC"
            )
        return [LetterAsked(user_id=user_id, purpose=purpose, email=email, asked_at=now)]

    def sent(self, hash: str, now: datetime) -> list[Event]:
        """Take note that it was sent, with a token of that hash."""
        if not self.pending:
            return []
        return [LetterSent(hash=hash, until=now + LIFETIMES[self.purpose])]

    def delayed(self, reason: str) -> list[Event]:
        """Take note that it could not be sent now."""
        if not self.pending:
            return []
        if self.attempts + 1 >= MAX_ATTEMPTS:
            return self.give_up(reason)
        return [LetterDelayed(attempt=self.attempts + 1, reason=reason)]

    def give_up(self, reason: str) -> list[Event]:
        """Send it no more."""
        return [LetterGivenUp(reason=reason)] if self.pending else []

    def redeem(self, hash: str, now: datetime) -> list[Event]:
        """Use the token up. Raises `TokenNotGood`."""
        if not self.hash or self.hash != hash or self.until is None or now >= self.until:
            raise TokenNotGood
        return self.spend()

    def spend(self) -> list[Event]:
        """Let the token be good no longer."""
        return [LetterSpent()] if self.hash else []

    def evolve(self, event: Event) -> "Letter":
        """Take a fact in."""
        match event:
            case LetterAsked(user_id=user_id, purpose=purpose, email=to, asked_at=at):
                asked = (*self.asked, at)[-MAX_ASKED:]
                known = self.replace(user_id=user_id, purpose=purpose, to=to, asked=asked)
                return known.replace(pending=True, attempts=0, given_up="")
            case LetterSent(hash=hash, until=until):
                return self.replace(pending=False, email=self.to, hash=hash, until=until)
            case LetterDelayed(attempt=attempt):
                return self.replace(attempts=attempt)
            case LetterGivenUp(reason=reason):
                return self.replace(pending=False, given_up=reason)
            case LetterSpent():
                return self.replace(hash="")
        return self


def letter_id(user_id: UUID, purpose: str) -> UUID:
    """Return the stream of the letters of one kind to a user."""
    return uuid5(LETTERS, f"{purpose}:{user_id}")
