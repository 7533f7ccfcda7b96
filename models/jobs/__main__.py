"""`python -m models.jobs FOLDER`: work on the job in a folder; the app starts it with what it has locked for it.

`python -m models.jobs --standby N --work MODULE:FUNCTION`: wait for one, see `models.jobs.standby`.
"""

import os
import sys

from models.jobs import standby
from models.jobs.worker import main

if __name__ == "__main__":
    words: list[str] | None = sys.argv[1:]
    if words[:1] == ["--standby"]:
        _, line, _, work = words
        words = standby.wait(int(line), work)
    code = 0 if words is None else main(words)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # without the long goodbye of torch and its threads: the device is free at once
