"""How a letter gets to the post: at once, or ever later while nobody takes it."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from commands.identity.letter import SendLetter
from domain import Event
from domain.identity.letter import Letter, LetterAsked, LetterDelayed, LetterGivenUp, LetterSent
from sagas import Cancel, Deadline, Standing, Step, saga

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
"""Before a letter is sent for the second time; doubled for each further one, up to the longest."""
MAX_DOUBLED = 16


def standing(letter: Letter) -> Standing:
    """Say how far it is."""
    phase = "posting" if letter.pending else "given up" if letter.given_up else "sent"
    return Standing(phase=phase, ended=not letter.pending)


@saga(process=Letter, key="letter_id", stands=standing)
def react(id: UUID, fact: Event, letter: Letter) -> Iterable[Step]:
    """Send what was asked for; again when it was not taken."""
    if letter.user_id is None:
        return
    send = SendLetter(user_id=letter.user_id, purpose=letter.purpose)
    match fact:
        case LetterAsked():
            yield send
        case LetterDelayed(attempt=attempt):
            pause = FIRST_PAUSE * 2 ** min(attempt - 1, MAX_DOUBLED)
            yield Deadline("post", min(pause, LONGEST_PAUSE), send)
        case LetterSent() | LetterGivenUp():
            yield Cancel("post")
