import pytest

from cpunet.errors import DataError
from cpunet.training.data.data_sets import check_names, data_root, find_data_sets
from tests.written_sets import write_index


@pytest.fixture
def root(tmp_path):
    for name in ("one", "two"):
        write_index(tmp_path / "data" / name, ("a", "f", "train", ""))
    (tmp_path / "data" / "notes").mkdir()
    return tmp_path / "data"


def names(folders):
    return [folder.name for folder in folders]


def test_a_set_and_the_folder_that_holds_it_are_both_understood(root):
    assert names(find_data_sets([root])) == ["one", "two"]
    assert names(find_data_sets([root / "two"])) == ["two"]
    assert names(find_data_sets([root / "two", root])) == ["two", "one"]
    assert names(find_data_sets([root / "t*"])) == ["two"]
    assert names(find_data_sets([root], ["two"])) == ["two"]


@pytest.mark.parametrize("words", [["."], ["one"], ["one", "two"], ["*"], ["two", "one"]])
def test_a_training_finds_its_sets_below_one_folder(root, words):
    assert data_root([root / word for word in words], ["one"]).resolve() == root


def test_the_present_folder_may_be_a_set(root, monkeypatch):
    monkeypatch.chdir(root / "one")
    assert data_root([find_data_sets([root / "one"])[0]], ["one"]) == root
    assert data_root([root.__class__(".")], ["one"]) == root


@pytest.mark.parametrize(
    ("words", "wanted", "message"),
    [
        (["notes"], [], r"notes: there is no index.csv in it, nor one level below"),
        (["absent"], [], r"absent: there is no such folder"),
        (["."], ["three"], r"the data set three is not there \(found: one, two\)"),
    ],
)
def test_what_is_no_data_set_is_named(root, words, wanted, message):
    with pytest.raises(DataError, match=message):
        find_data_sets([root / word for word in words], wanted)


def test_a_set_that_the_configuration_does_not_name_is_no_stand_in(root):
    with pytest.raises(DataError, match=r"--data .*two: the data set one is not there \(found: two\)"):
        data_root([root / "two"], ["one"])


def test_sets_of_one_training_lie_in_one_folder(root, tmp_path):
    write_index(tmp_path / "elsewhere" / "three", ("a", "f", "train", ""))
    words = [root / "one", tmp_path / "elsewhere" / "three"]
    with pytest.raises(DataError, match="lie in different folders"):
        data_root(words, ["one", "three"])
    assert data_root(words, ["three"]) == tmp_path / "elsewhere"


def test_two_sets_of_one_name_are_refused(root, tmp_path):
    check_names([root / "one", root / "two"])
    with pytest.raises(DataError, match="called one"):
        check_names([root / "one", tmp_path / "other" / "one"])
