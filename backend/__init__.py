"""Programs that need torch: train, evaluate, serve.

OpenMP threads wait asleep instead of spinning. On a machine whose cores also run the
web app and a browser, spinning threads keep the one they wait for from its core: a
training step took 2.6 to 4.3 times as long (docs/experiments.md, 2026-11-24). It must
be said before torch loads its OpenMP library, hence here.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("KMP_BLOCKTIME", "0")
