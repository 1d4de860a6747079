from cpunet.__main__ import main
from tests.tiny_onnx import changed_card, tiny_onnx
from tests.tiny_trees import chooser_onnx, listed


def test_models_lists_cards(own_models, capsys):
    assert main(["models"]) == 0
    said = capsys.readouterr().out
    assert "tiny 1.0.0" in said
    assert "objects of 10 to 40 pixels" in said
    assert "sha256" in said


def test_models_prints_the_name_that_chooses_a_model_and_the_cards(own_models, capsys):
    (own_models / "mine.onnx").write_bytes(tiny_onnx(changed_card(name="theirs")))
    assert main(["models"]) == 0
    assert "mine (its card: theirs " in capsys.readouterr().out


def test_models_says_which_file_is_broken(own_models, capsys):
    (own_models / "bad").mkdir()
    (own_models / "bad" / "model.onnx").touch()
    assert main(["models"]) == 1
    said = capsys.readouterr().out
    assert "bad\n    cannot be used" in said
    assert "tiny 1.0.0" in said


def test_a_file_that_chooses_may_lie_beside_its_models(own_models, capsys):
    (own_models / "chooser.onnx").write_bytes(chooser_onnx(listed(("tiny", b"one"), ("other", b"two"))))
    assert main(["models"]) == 0
    assert "chooser\n    chooses among tiny 1.0.0 (SHA-256 " in capsys.readouterr().out
