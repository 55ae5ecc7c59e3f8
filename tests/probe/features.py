"""The features of the tests' own context, as discovery would find them."""

from typing import Any, get_type_hints

from infra.discovery import Features, Handling, Projecting, Running
from tests.probe import job, process, rows

HANDLERS: tuple[Any, ...] = (
    job.start_job,
    job.push_job,
    job.push_both,
    job.count_job,
    job.end_job,
    job.keep_note,
)
FACTS = (job.JobStarted, job.JobPushed, job.JobEnded, job.NoteKept)


def handling(handler: Any) -> Handling:
    hints = get_type_hints(handler)
    ports = {name: hint for name, hint in hints.items() if name not in ("c", "return")}
    return Handling("probe", handler.handles, handler, ports, handler.is_step)


FEATURES = Features(
    contexts=("probe",),
    facts={fact.TOPIC: fact for fact in FACTS},
    states={state.KIND: state for state in (job.Job, job.Note)},
    handlings={handler.handles: handling(handler) for handler in HANDLERS},
    projections=(
        Projecting(
            "probe.rows",
            "probe",
            rows.project,
            (rows.jobs, rows.pushes),
            cached=(rows.job_row,),
        ),
    ),
    sagas=(Running("probe.process", "probe", process.react),),
    invariants={},
)
