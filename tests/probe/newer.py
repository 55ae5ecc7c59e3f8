"""The same job in newer code: it remembers more. Both run at once while they are deployed."""

from dataclasses import replace

from commands import Log, Receipt, handles
from domain import Event
from tests.probe.features import FEATURES, handling
from tests.probe.job import Job, JobPushed, PushJob


class NewerJob(Job, frozen=True):
    last: str = ""

    def evolve(self, event: Event) -> "NewerJob":
        before = Job(status=self.status, pushes=self.pushes).evolve(event)
        last = event.note if isinstance(event, JobPushed) else self.last
        return self.replace(status=before.status, pushes=before.pushes, last=last)


class NewestJob(NewerJob, frozen=True):
    """Another shape once more."""

    more: str = ""


@handles(PushJob)
async def push_newer(c: PushJob, log: Log) -> Receipt:
    return await log.change(NewerJob, c.job_id, lambda j: j.push(c.note))


@handles(PushJob)
async def push_newest(c: PushJob, log: Log) -> Receipt:
    return await log.change(NewestJob, c.job_id, lambda j: j.push(c.note))


NEWER = replace(
    FEATURES,
    states={**FEATURES.states, Job.KIND: NewerJob},
    handlings={**FEATURES.handlings, PushJob: handling(push_newer)},
)
NEWEST = replace(
    FEATURES,
    states={**FEATURES.states, Job.KIND: NewestJob},
    handlings={**FEATURES.handlings, PushJob: handling(push_newest)},
)
