"""Background jobs of every kind: each its own process and folder, with a queue and a limit per device. Torch-free.

`Jobs` is what an app uses. Its words are ids, specs and values, no paths and no process ids (but for `folder`), so
that something else than this machine's processes can stand behind it. On this machine a job is a folder:

    job.json     what is to be done, for whom (`records.Order`)
    status.json  how far it is, and how it ended (`records.Status`)
    wish-...     that it is to end, if somebody wishes so: an empty file for each `records.Wish`
    log.txt      what its processes said
    worker.lock  locked by the process that works on it, for as long as that lives

and whatever its kind writes beside them; of a training job it is the run's folder (`models.training.runs`).

What is true is what the kernel says: the locks of a job and of a place on its device go from the app to the worker
at its birth and end with it, however it ends. So neither a killed app nor a killed worker leaves anything to clear
up, ids of processes that are used again mislead nobody, and two apps on one folder start a job once. Only who holds
the lock of a job writes its status.
"""

from models.jobs.dispatch import Jobs as Jobs, keep as keep
from models.jobs.records import (
    KINDS as KINDS,
    OVERHEAD as OVERHEAD,
    Device as Device,
    Job as Job,
    JobSpec as JobSpec,
    Kind as Kind,
    Report as Report,
    State as State,
    Stop as Stop,
    Work as Work,
    embedding as embedding,
    evaluation as evaluation,
    training as training,
)
