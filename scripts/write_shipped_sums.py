"""Write the sums of the models in models/, which need no trial, into shipped.py. Run it after a model has changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
TARGET = REPOSITORY / "plugins" / "cpunet" / "model" / "first_opening" / "shipped.py"
HEAD = '''"""The SHA-256 of the models that come with cpunet, written by scripts/write_shipped_sums.py."""

SHIPPED_SUMS = {
'''


def text() -> str:
    """Return the content of the file."""
    lines = [
        f'    "{hashlib.sha256(path.read_bytes()).hexdigest()}",  # {path.parent.name}\n'
        for path in sorted((REPOSITORY / "models").glob("*/model.onnx"))
    ]
    return HEAD + "".join(lines) + "}\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
