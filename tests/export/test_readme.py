from cpunet.export.readme import write_readme
from cpunet.onnx_reader.metadata import read_card, sha256


def test_the_readme_says_what_the_card_says_and_leaves_a_hand_written_one_alone(exported, tmp_path):
    text = exported.with_name("README.md").read_text()
    assert sha256(exported) in text
    assert "| drawn train | 1 | 9 | CC0-1.0 | drawn by the tests |" in text
    assert "make it\nmake it again\n" in text
    readme = tmp_path / "README.md"
    readme.write_text("My own words.")
    assert not write_readme(tmp_path, read_card(exported), {})
    assert readme.read_text() == "My own words."


def test_a_readme_that_was_changed_by_hand_is_left_alone(exported, tmp_path):
    card = read_card(exported)
    assert write_readme(tmp_path, card, {})
    assert write_readme(tmp_path, card, {"model.onnx": "0"})
    readme = tmp_path / "README.md"
    readme.write_text(readme.read_text() + "My notes.\n")
    assert not write_readme(tmp_path, card, {})
    assert "My notes." in readme.read_text()
