"""What an operator does to a process instance: take its step again, or end it compensated."""

from uuid import uuid4

import msgspec

from commands import Caller
from domain import Envelope, Refused
from infra.aside.unparking import FAILED, By, retry
from infra.dispatch import Meta
from infra.instances import Instance, concerning, sagas_of
from infra.interventions import DONE, Intervention, record
from infra.processes import caller_of
from infra.system import System
from sagas import Cancel, Deadline


class NotCompensable(LookupError):
    """An instance cannot be ended with everything undone; the message says why."""


class Sent(msgspec.Struct, frozen=True):
    """A command that was sent by hand, and what came of it."""

    command: str
    result: str


async def take_again(system: System, instance: Instance, by: By) -> list[str]:
    """Let go what is parked of an instance; if it still waits, send its last step again.

    A step that was done already is inert: commands say nothing twice. Returns sentences.
    """
    told = []
    for group in instance.parked:
        result = await retry(system, group, by)
        told.append(f"{group.reader}: {result.handled} facts handled, {result.left} still parked")
        if result.error:
            return [*told, f"it failed again: {result.error}"]
    if instance.parked:
        return told  # what was left undone is done now
    if instance.ended:
        return [f"it has ended: {instance.phase}"]
    [running] = sagas_of(system, instance.saga)
    for fact, at in reversed(await concerning(system, instance)):
        reaction = running.saga.react(instance.id, fact, instance.state)
        wanted = [step for step in reaction if not isinstance(step, Deadline | Cancel)]
        if wanted:
            sent = [await _send(system, instance, "retry", step, at, by) for step in wanted]
            await _record(system, instance, "RetryProcess", sent, by)
            return [f"{one.command} sent again: {one.result}" for one in sent]
    return [f"nothing is to be sent: it is {instance.phase}, and waits for somebody else"]


async def compensate(system: System, instance: Instance, by: By) -> list[str]:
    """End an instance with every step undone, by its own command. Raises `NotCompensable`."""
    [running] = sagas_of(system, instance.saga)
    end = running.saga.compensate
    command = end(instance.id, instance.state, by.reason) if end else None
    if command is None:
        raise NotCompensable(
            f"{instance.saga} {instance.id} is {instance.phase}; it cannot be undone by its process"
        )
    _, at = (await concerning(system, instance))[-1]
    sent = await _send(system, instance, "compensate", command, at, by)
    await _record(system, instance, "CompensateProcess", [sent], by)
    told = [f"{sent.command}: {sent.result}"]
    if instance.parked:
        told.append("what follows from it is parked behind its other facts; retry those")
    return told


async def _send(
    system: System, instance: Instance, why: str, command: object, at: Envelope, by: By
) -> Sent:
    """Send a command as the process would; the receipt names the operator and the reason."""
    name = type(command).__name__
    actor = caller_of(instance.saga).actor
    caller = Caller(actor=actor, agent=by.actor, reason=by.reason)
    meta = Meta(
        key=f"{why}:{instance.id}:{uuid4()}",
        correlation_id=at.correlation_id,
        causation_id=at.command_id,
    )
    try:
        answer = await system.dispatch(command, caller, meta)
    except Refused as refusal:
        return Sent(name, refusal.code)
    return Sent(name, f"accepted at {answer.receipt.context} {answer.receipt.position}")


async def _record(
    system: System, instance: Instance, action: str, sent: list[Sent], by: By
) -> None:
    [running] = sagas_of(system, instance.saga)
    failed = all(not one.result.startswith("accepted") for one in sent)
    made = Intervention(
        time=system.clock.now(),
        actor=by.actor,
        action=action,
        subject=f"saga {instance.saga}, process {instance.id}",
        resource=instance.id,
        result=FAILED if failed else DONE,
        detail=", ".join(f"{one.command}: {one.result}" for one in sent),
        reason=by.reason,
        correlation_id=by.correlation_id,
    )
    async with system.databases[running.context].write() as connection:
        await record(connection, running.context, made)
