"""`python -m models.jobs FOLDER`: work on the job in a folder; the app starts it with what it has locked for it.

`python -m models.jobs --standby N --work MODULE:FUNCTION`: wait for one, see `models.jobs.standby`.
"""

import os
import sys

from models.jobs import standby
from models.jobs.worker import main

if __name__ == "__main__":
    words = sys.argv[1:]
    if words[:1] == ["--standby"]:
        words = standby.wait(int(words[1]), words[3])
    code = main(words) if words else 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # without the long goodbye of torch and its threads: the device is free at once
