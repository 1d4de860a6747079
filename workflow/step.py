"""Run a step of a batch, as the Snakefile asks for it: with the cpunet of this very repository or package."""

import sys
from pathlib import Path

PLUGINS = Path(__file__).resolve().parents[1] / "plugins"
if (PLUGINS / "cpunet").is_dir():  # of a repository; an installed package is found anyway
    sys.path.insert(0, str(PLUGINS))

from cpunet.batch.steps import main

if __name__ == "__main__":
    sys.exit(main())
