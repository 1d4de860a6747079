"""From real images and labels to the weights of a U-Net."""

import os

# torch's OpenMP threads spin while they wait for each other. They keep a core from other programs then, which in turn
# keep the core from the thread that is waited for. OpenMP reads this when torch is loaded: it must be set before.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
