"""`aorist sagas`: processes, how far each is, and what a person can do for one that is stuck."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

import msgspec
import typer

from api.cli._program import (
    Actor,
    Reason,
    aligned,
    err,
    opened,
    out,
    parsed_id,
    run,
    settings_of,
    who,
)
from infra.aside.unparking import By
from infra.instances import Instance, instance_of, instances, steps
from infra.overseeing import compensate, take_again
from infra.settings import Settings
from infra.system import System

COLUMNS = ("saga", "id", "phase", "at stake", "since", "next deadline", "stuck")
LIMIT = 200

sagas = typer.Typer(
    no_args_is_help=True, help="Processes: list and show them, retry or compensate one by hand."
)

Id = Annotated[str, typer.Argument(help="Id of the process: of its transfer, order, payment.")]
OfSaga = Annotated[str | None, typer.Option("--saga", help="Only this saga: banking.transfer.")]


@sagas.command("list")
def list_(
    context: typer.Context,
    saga: OfSaga = None,
    state: Annotated[str | None, typer.Option(help="Only those in this phase.")] = None,
    stuck: Annotated[
        bool, typer.Option("--stuck", help="Only those that do not go on by themselves.")
    ] = False,
    all_: Annotated[bool, typer.Option("--all", help="Those that have ended too.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = LIMIT,
) -> None:
    """List processes that have not ended, the longest silent first."""
    settings = settings_of(context, quiet=True)

    def wanted(one: Instance) -> bool:
        shown = all_ or bool(state) or not one.ended or bool(one.stuck)
        return shown and state in (None, one.phase) and (bool(one.stuck) or not stuck)

    run(_list(settings, saga, wanted, limit))


async def _list(
    settings: Settings, saga: str | None, wanted: Callable[[Instance], bool], limit: int
) -> None:
    rows: list[tuple[object, ...]] = [COLUMNS]
    async with opened(settings) as system:
        async for one in instances(system, saga=saga):
            if not wanted(one):
                continue
            if len(rows) > limit:
                err.print(f"aorist: there are more than {limit}; narrow it or raise --limit")
                break
            due = one.deadlines[0].due if one.deadlines else None
            rows.append(
                (one.saga, one.id, one.phase, _money(one), _time(one.since), _time(due), one.stuck)
            )
    out.print(aligned(rows) if len(rows) > 1 else "no such process", markup=False)


@sagas.command()
def show(context: typer.Context, id: Id, saga: OfSaga = None) -> None:
    """Show a process: its phase, steps and their attempts, deadlines, compensations, its state."""
    run(_show(settings_of(context, quiet=True), parsed_id(id, "ID"), saga))


async def _show(settings: Settings, id: UUID, saga: str | None) -> None:
    async with opened(settings) as system:
        for one in await instance_of(system, id, saga):
            out.print(f"{one.saga} {one.id}: {one.phase}", markup=False)
            out.print(f"  at stake: {_money(one) or 'nothing'}", markup=False)
            if one.stuck:
                out.print(f"  stuck: {one.stuck}", markup=False)
            for due in one.deadlines:
                line = f"  deadline {due.name}: {_time(due.due)} sends {due.command}"
                out.print(line, markup=False)
            for group in one.parked:
                line = f"  parked by {group.reader}: {group.facts} facts from {group.first} on"
                out.print(line, markup=False)
            await _steps(system, one)
            out.print(_state(one), markup=False)


async def _steps(system: System, instance: Instance) -> None:
    rows: list[tuple[object, ...]] = [("time", "step", "attempt", "result", "after", "detail")]
    for step in await steps(system, instance):
        name = f"{step.command} (undoes)" if step.undoes else step.command
        rows.append((_time(step.time), name, step.attempt, step.result, step.answers, step.detail))
    out.print(aligned(rows), markup=False)


@sagas.command()
def retry(
    context: typer.Context, id: Id, reason: Reason, saga: OfSaga = None, actor: Actor = None
) -> None:
    """Retry what is parked of a process; if nothing is and it waits, send its step again."""
    by = By(actor=who(actor), reason=reason)
    run(_do(settings_of(context, quiet=True), parsed_id(id, "ID"), saga, by, take_again))


@sagas.command("compensate")
def compensate_(
    context: typer.Context, id: Id, reason: Reason, saga: OfSaga = None, actor: Actor = None
) -> None:
    """End a process with everything undone, as its deadline would."""
    by = By(actor=who(actor), reason=reason)
    run(_do(settings_of(context, quiet=True), parsed_id(id, "ID"), saga, by, compensate))


async def _do(
    settings: Settings,
    id: UUID,
    saga: str | None,
    by: By,
    work: Callable[[System, Instance, By], Awaitable[list[str]]],
) -> None:
    async with opened(settings) as system:
        for one in await instance_of(system, id, saga):
            for sentence in await work(system, one, by):
                out.print(f"{one.saga}: {sentence}", markup=False)


def _money(one: Instance) -> str | None:
    return f"{one.at_stake.amount} {one.at_stake.currency}" if one.at_stake else None


def _time(time: Any) -> str | None:
    return str(time.isoformat(timespec="seconds")).replace("+00:00", "Z") if time else None


def _state(one: Instance) -> str:
    plain = msgspec.json.encode(msgspec.to_builtins(one.state, str_keys=True))
    return msgspec.json.format(plain, indent=2).decode()
