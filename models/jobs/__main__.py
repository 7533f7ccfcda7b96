"""`python -m models.jobs FOLDER`: work on the job in a folder; the app starts it with what it has locked for it."""

import os
import sys

from models.jobs.worker import main

if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # without the long goodbye of torch and its threads: the device is free at once
