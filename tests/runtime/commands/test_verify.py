from cpunet.__main__ import main
from cpunet.checks.stored_test import STORED_TEST_KEY, StoredTest, stored_test_to_json
from cpunet.checks.synthetic import synthetic_input
from cpunet.model.session import load_model
from tests.tiny_onnx import field, tiny_onnx

CHECKS = ["ONNX", "opset and IR", "card", "names", "shapes", "stored test", "tiles", "halo"]


def test_the_command_prints_what_passed_and_returns_1_if_anything_fails(tiny_model, capsys):
    model = load_model(tiny_model, "cpu")
    image = synthetic_input(model.card.input)
    stored = stored_test_to_json(StoredTest(image, model.predict(image)))
    tiny_model.write_bytes(tiny_model.read_bytes() + field(14, field(1, STORED_TEST_KEY) + field(2, stored)))
    assert main(["verify", str(tiny_model)]) == 0
    out = capsys.readouterr().out
    assert all(f"passed  {check}: " in out for check in CHECKS)
    assert "not compared with torch" in out
    tiny_model.write_bytes(tiny_onnx())
    assert main(["verify", str(tiny_model)]) == 1
    assert "FAILED  stored test: " in capsys.readouterr().out
