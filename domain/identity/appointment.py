"""The first operator: appointed once, so that there is somebody who can grant roles."""

from uuid import UUID

from domain import Event, Refused, State

APPOINTMENT = UUID("5f5f1c2e-8a47-5d0b-9f0e-1c9a2b7e4d10")
"""The one stream of it."""
OPERATOR = "operator"


class OperatorAppointed(Event, frozen=True):
    """A user is the first operator now."""

    TOPIC = "identity.appointment.made"
    user_id: UUID


class AlreadyAppointed(Refused, code="already_appointed"):
    """There is a first operator; whoever else is to be one gets the role from an operator."""


class Appointment(State, frozen=True):
    """Whether the first operator is appointed."""

    KIND = "identity.appointment"
    user_id: UUID | None = None

    def appoint(self, user_id: UUID) -> list[Event]:
        """Make a user the first operator. Raises `AlreadyAppointed`."""
        if self.user_id == user_id:
            return []
        if self.user_id is not None:
            raise AlreadyAppointed("the first operator is appointed; ask an operator for the role")
        return [OperatorAppointed(user_id=user_id)]

    def evolve(self, event: Event) -> "Appointment":
        """Remember who it is."""
        match event:
            case OperatorAppointed(user_id=user_id):
                return Appointment(user_id=user_id)
        return self
