"""Appointing the first operator."""

from commands import Change, Clock, Ids, Log, Name, Receipt, command, handles
from commands.identity.letter import asking_for
from commands.identity.password import Password, Passwords
from commands.identity.user import Email, Username, registration
from domain.identity.appointment import APPOINTMENT, OPERATOR, Appointment
from domain.identity.letter import VERIFY
from domain.identity.user import Person


@command
class AppointFirstOperator:
    """Become a user, and the first operator, who grants roles to the others."""

    username: Username
    email: Email
    name: Name
    password: Password


@handles(AppointFirstOperator)
async def appoint_first_operator(
    c: AppointFirstOperator, log: Log, ids: Ids, clock: Clock, passwords: Passwords
) -> Receipt:
    """Register, grant and appoint in one append, so that it happens once."""
    (await log.load(Appointment, APPOINTMENT)).appoint(id := ids.new())
    hash = await passwords.hash(c.password.get_secret_value())
    person, letter = Person(name=c.name), asking_for(VERIFY, id, c.email, clock)
    registering = registration(id, c.username, c.email, person, letter, hash=hash, role=OPERATOR)
    return await log.change_all(
        *registering, Change(Appointment, APPOINTMENT, lambda one: one.appoint(id))
    )
