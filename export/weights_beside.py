"""Keep the weights of another training, which lie where those of an exported model are written."""

from __future__ import annotations

from pathlib import Path

import torch

from cpunet.errors import OutputError
from cpunet.files.outputs import check_output
from cpunet.training.weights import CONFIG_KEY, read_stored, stored_key


def check_weights_beside(path: Path, network: torch.nn.Module, overwrite: bool) -> None:
    """Raise OutputError if a file holds the weights of another program or training, which would be lost."""
    check_output(path, overwrite=overwrite)
    if overwrite or not path.exists():
        return
    _, _, before = read_stored(path, stored_key(path) or CONFIG_KEY, dict, "cpunet train")
    now = network.state_dict()
    if before.keys() != now.keys() or not all(torch.equal(before[name], now[name]) for name in now):
        raise OutputError(
            f"{path} holds the weights of another training, which this export would replace. Give -o another folder, "
            "or --overwrite."
        )
