"""Logging in, staying so, and logging out."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from pydantic import Field, SecretStr, StringConstraints

from commands import Change, ChosenId, Clock, Ids, Log, Receipt, command, handles
from commands.identity.logins import ending
from commands.identity.password import MAX_PASSWORD, Passwords
from domain import Unproven
from domain.identity.claim import EMAIL, USERNAME, Claim, claim_id
from domain.identity.logins import Logins, logins_id
from domain.identity.password import PasswordHash, password_id
from domain.identity.session import CROWDED_OUT, LOGGED_OUT, Session
from domain.identity.user import User

SESSION = timedelta(days=30)
"""How long a session lasts at most."""
NOBODY = UUID(int=0)
"""Whose password is looked at when there is no such user: it takes as long as for one."""


Login = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=254)]
"""An e-mail address or a username."""


class WrongCredentials(Unproven, code="wrong_credentials"):
    """There is no user of that name with that password."""


@command
class LogIn:
    """Begin a session, by e-mail address or username, and password."""

    session_id: ChosenId | None = None
    login: Login
    password: Annotated[SecretStr, Field(max_length=MAX_PASSWORD)]


@command
class RefreshSession:
    """Go on with a session: by its refresh token of a number, which is used up by that."""

    session_id: UUID
    generation: int


@command
class EndSession:
    """Log out."""

    session_id: UUID


@handles(LogIn)
async def log_in(c: LogIn, log: Log, ids: Ids, clock: Clock, passwords: Passwords) -> Receipt:
    """Check the password, whoever it is; say the same of a wrong name and a wrong password."""
    user_id = await user_of(log, c.login)
    known = await log.load(PasswordHash, password_id(user_id))
    right = await passwords.verify(c.password.get_secret_value(), known.hash)
    user = await log.load(User, user_id)
    if not right:
        raise WrongCredentials("no user has this name and this password; check both")
    user.require_active()
    until, id = clock.now() + SESSION, c.session_id or ids.new()
    # Before the list, which other logins of the user move: from there on nothing waits.
    await log.load(Session, id)
    crowded_out = (await log.load(Logins, logins_id(user_id))).crowded_out
    return await log.change_all(
        Change(Session, id, lambda session: session.start(user_id, until)),
        Change(Logins, logins_id(user_id), lambda logins: logins.opened(user_id, id)),
        *ending(user_id, crowded_out, CROWDED_OUT),
    )


async def user_of(log: Log, login: str) -> UUID:
    """Return whose name it is; `NOBODY` when it is nobody's."""
    return (await log.load(Claim, claim_of(login))).user_id or NOBODY


def claim_of(login: str) -> UUID:
    """Return the stream on which the name that somebody logs in by is claimed."""
    return claim_id(EMAIL if "@" in login else USERNAME, login)


@handles(RefreshSession)
async def refresh_session(c: RefreshSession, log: Log, clock: Clock) -> Receipt:
    """Use a refresh token up, or end the session when it was used before."""
    now = clock.now()
    session = await log.load(Session, c.session_id)
    (await log.load(User, session.require_open(now))).require_active()
    return await log.change(Session, c.session_id, lambda s: s.refresh(c.generation, now))


@handles(EndSession)
async def end_session(c: EndSession, log: Log) -> Receipt:
    """End it once."""
    user = (await log.load(Session, c.session_id)).user_id
    if user is None:
        return await log.change(Session, c.session_id, lambda session: session.end(LOGGED_OUT))
    return await log.change_all(*ending(user, [c.session_id], LOGGED_OUT))
