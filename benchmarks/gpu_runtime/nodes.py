"""Count where the nodes of a network run."""

import json
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from cpunet.model.session import CUDA, OnnxModel, import_onnxruntime

SIDE = 256


def nodes_by_provider(model: OnnxModel) -> "Counter[str]":
    """Run an open model's file once in a session that keeps a profile, and count the nodes that each provider ran.

    The session asks for the same providers as the model got. A provider that a session lists may run no node at all.
    """
    onnxruntime = import_onnxruntime()
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.enable_profiling, options.profile_file_prefix = True, str(Path(folder) / "profile")
        options.log_severity_level = 4
        providers = [CUDA, "CPUExecutionProvider"] if model.provider == CUDA else [model.provider]
        session = onnxruntime.InferenceSession(str(model.path), options, providers=providers)
        side = -(-max(SIDE, model.card.input.min_size) // model.card.input.divisible_by) * model.card.input.divisible_by
        image = np.zeros((1, len(model.card.input.channels), side, side), np.float32)
        session.run(None, {session.get_inputs()[0].name: image})
        events = json.loads(Path(session.end_profiling()).read_text())
    return Counter(each["args"]["provider"] for each in events if "provider" in each.get("args", {}))
