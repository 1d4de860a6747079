import copy
import shutil

import torch

from cpunet.__main__ import main
from cpunet.training.weights import save_trained


def test_verify_compares_with_the_torch_weights_beside_the_file(exported, trained, tmp_path, capsys):
    alone = tmp_path / "model.onnx"
    shutil.copyfile(exported, alone)
    assert main(["verify", str(alone)]) == 0
    assert "no weights.safetensors beside the file" in capsys.readouterr().out
    assert main(["verify", str(exported)]) == 0
    out = capsys.readouterr().out
    assert "passed  values of torch: agree within" in out
    assert "passed  schema: " in out
    changed = copy.deepcopy(trained)
    torch.nn.init.normal_(changed.network.head.weight)
    save_trained(alone.with_name("weights.safetensors"), changed)
    assert main(["verify", str(alone)]) == 1
    assert "FAILED  values of torch: onnxruntime and torch disagree at" in capsys.readouterr().out
