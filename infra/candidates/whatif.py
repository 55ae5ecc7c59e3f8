"""What if other code ran: a candidate is run over the real log in isolation, and compared.

This program's features and the candidate's are each run in a process of their own over the same
facts. Both can only read the databases; what comes of them goes to files that are thrown away.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from infra.candidates.candidate import ROOT, house, layers_of
from infra.candidates.contrast import compared
from infra.candidates.outcomes import Difference, Outcome
from infra.processes import caller_of
from infra.system import System

MAX_LINE = 2**20
"""Bytes of a line that a run says."""
MAX_SAID = 20
"""Lines of what a run that ended badly wrote to standard error, that are told."""

Progress = Callable[[int, int], None]
"""Called with facts done and facts in all, of the run that is behind."""


class RunFailed(Exception):
    """One of the two runs came to no end; the message says which, and why."""


async def what_if(
    system: System,
    code: str,
    *,
    contexts: Sequence[str] = (),
    projections: Sequence[str] = (),
    progress: Progress = lambda done, total: None,
) -> Outcome:
    """Run the candidate `code`, a folder or a revision, over the logs and compare.

    With `projections`, nothing but these is looked at. Raises `NoCandidate` and `RunFailed`.
    """
    chosen = tuple(contexts) or system.contexts
    heads = {context: await log.store.head() for context, log in system.logs.items()}
    given = {
        "urls": {context: _url(system, context) for context in system.logs},
        "heads": heads,
        "chosen": list(chosen),
        "projections": list(projections),
    }
    total = sum(heads[context] for context in chosen)
    done = {"this program": 0, "the candidate": 0}

    with tempfile.TemporaryDirectory(prefix="aorist-whatif-") as name:
        folder = Path(name)
        (folder / "revision").mkdir()
        layers = {"this program": ROOT, "the candidate": await layers_of(code, folder / "revision")}

        async def one(who: str, number: int) -> Path:
            home = house(layers[who], folder / f"house{number}")
            (found := folder / f"found{number}").mkdir()
            lines = _run(who, home, {**given, "folder": str(found)})
            async for line in lines:
                done[who] = line
                progress(min(done.values()), total)
            return found

        try:
            async with asyncio.TaskGroup() as runs:
                both = [runs.create_task(one(who, number)) for number, who in enumerate(layers)]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        now, then = (run.result() for run in both)
        outcome = await asyncio.to_thread(
            compared, now, then, {context: heads[context] for context in chosen}
        )
    for part in outcome.sagas:
        part.differences = [await _with_receipt(system, one) for one in part.differences]
    return outcome


async def _with_receipt(system: System, difference: Difference) -> Difference:
    """Say what came of the command that was sent, if one was."""
    if (sent := difference.sent) is None:
        return difference
    store = system.logs[sent.command.partition(".")[0]].store
    found = await store.find(caller_of(sent.saga).actor, sent.command, sent.key)
    happened = "it was not sent"
    if found is not None:
        refusal = found.refusal
        happened = f"it was refused: {refusal.code}" if refusal else "it was sent and accepted"
    return msgspec.structs.replace(difference, happened=happened)


async def _run(who: str, home: Path, given: dict[str, object]) -> AsyncIterator[int]:
    """Run the code in a house; yield how many facts are done."""
    failed = ""
    async with _started(home) as process:
        assert process.stdin is not None  # noqa: S101 - all three are asked for
        assert process.stdout is not None  # noqa: S101
        assert process.stderr is not None  # noqa: S101
        process.stdin.write(json.dumps(given).encode())
        process.stdin.close()
        said = asyncio.create_task(process.stderr.read())
        async for line in process.stdout:
            try:
                told = json.loads(line)
            except ValueError:
                continue  # what the code itself prints
            if isinstance(told, dict) and "failed" in told:
                failed = str(told["failed"])
            elif isinstance(told, dict) and isinstance(told.get("done"), int):
                yield told["done"]
        code, tail = await process.wait(), (await said).decode(errors="replace")
    if failed:
        raise RunFailed(f"{who}: {failed}")
    if code:
        last = "\n".join(tail.splitlines()[-MAX_SAID:])
        raise RunFailed(f"{who} ended with {code}:\n{last}")


@asynccontextmanager
async def _started(home: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = {n: v for n, v in os.environ.items() if not n.startswith(("PYTHON", "AORIST_"))}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infra.candidates.launch"),
        cwd=home,
        # One seed, so that both write sets in one order.
        env={
            **environment,
            "PYTHONPATH": str(home),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
        },
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=MAX_LINE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _url(system: System, context: str) -> str:
    """Return a context's database as a process with another working folder finds it."""
    database = system.databases[context]
    if database.is_sqlite:
        return f"sqlite:///{database.path.absolute()}"
    return database.url.render_as_string(hide_password=False)
