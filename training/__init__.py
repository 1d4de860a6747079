"""From real images and labels to the weights of a U-Net."""

import os

# torch's OpenMP threads spin while they wait for each other, and keep the cores from other programs, which then keep the
# cores from those that are waited for. OpenMP reads this when torch is loaded, so that it must be set before.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
