import json

from tests.export.card_files import card, put
from tests.tiny_onnx import changed_card, tiny_onnx


def test_show_finds_a_model_by_its_name_and_prints_its_json(tmp_path, monkeypatch, capsys):
    content = changed_card(card_version="1.7", mood="good")
    (tmp_path / "mine").mkdir()
    put(tmp_path / "mine" / "model.onnx", tiny_onnx(card=content))
    monkeypatch.setenv("CPUNET_MODELS", str(tmp_path))
    assert card("show", "mine", "--json") == 0
    out = capsys.readouterr().out
    assert json.loads(out) == content
    assert '\n  "card_version": "1.7"' in out
    assert card("show", "absent") == 2
    assert "There is no model 'absent'" in capsys.readouterr().err
