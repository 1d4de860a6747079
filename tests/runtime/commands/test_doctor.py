from cpunet.__main__ import main


def test_doctor_reports_the_provider_of_a_real_session(own_models, capsys):
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "runs on   CPUExecutionProvider" in said or "runs on   CUDAExecutionProvider" in said
    assert "512x512" in said
    assert "found     25 objects in a synthetic field of 25 nuclei" in said


def test_doctor_names_a_broken_model(own_models, capsys):
    (own_models / "bad").mkdir()
    (own_models / "bad" / "model.onnx").touch()
    assert main(["doctor"]) == 1
    assert "PROBLEM: model bad" in capsys.readouterr().out
