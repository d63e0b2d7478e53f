"""Whatever is run here, pytest and `python -m tests.…` alike."""

import os
import sys

# sttd is started hundreds of times, and its modules take longer to compile than to run: what Python has compiled is kept,
# also where the environment says otherwise, as on build machines
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
