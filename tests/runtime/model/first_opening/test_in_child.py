"""Whatever a model file does when it is opened for the first time, this process goes on."""

import sys

import numpy as np
import pytest

from cpunet.checks.stored_test import STORED_TEST_KEY, StoredTest, stored_test_to_json
from cpunet.errors import ModelError
from cpunet.model import session
from cpunet.model.card import card_from_content
from cpunet.model.first_opening import in_child, trust
from cpunet.model.first_opening.in_child import python_for_children, try_in_child
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import sha256
from cpunet.onnx_reader.model_file import read_model_file
from tests.tiny_instances import instances_card, instances_onnx
from tests.tiny_onnx import CARD, changed_card, field, tiny_onnx

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of Unix")


@pytest.fixture
def file(tiny_model):
    return read_model_file(tiny_model)


@pytest.fixture
def untrusted(tmp_path, monkeypatch):
    """Let this user have opened nothing; return the folder of the sums that are remembered."""
    monkeypatch.setattr(trust, "cache_folder", lambda *_: tmp_path / "cache")
    monkeypatch.setattr(session, "is_trusted", trust.is_trusted)
    return tmp_path / "cache" / "opened_models"


def stored(image, output):
    return field(14, field(1, STORED_TEST_KEY) + field(2, stored_test_to_json(StoredTest(image, output))))


def with_test(offset):
    """The tiny network, and the test of one with another offset."""
    image = np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 1, 8, 8)
    return tiny_onnx() + stored(image, (1 / (1 + np.exp(-offset - 14 * image))).astype(np.float32))


def test_a_sound_model_is_tried(file):
    assert try_in_child(file, card_from_content(CARD))


ENDS = {
    "crash": ("import os; os.kill(os.getpid(), 11)", r"was ended by the signal SIGSEGV"),
    "abort": ("import os; os.abort()", "was ended by the signal SIGABRT"),
    "exit": ("import os; os._exit(3)", "ended with the code 3"),
    "exit as if all went well": ("import os; os._exit(0)", "ended with the code 0"),
    "memory": (
        "import sys; sys.path[:] = sys.argv[1].split(chr(10));"
        "from cpunet.model.first_opening.child import limit; limit(2**30); bytearray(2**31)",
        "ended with the code 1",
    ),
    "processor time": (
        "import sys; sys.path[:] = sys.argv[1].split(chr(10));"
        "import cpunet.model.first_opening.child as child; child.MOST_CPU_SECONDS = 1; child.limit(2**32)\n"
        "while True: pass",
        "of processor time",
    ),
    "hang": ("import time; time.sleep(60)", "took more than 0.5 seconds"),
}


@pytest.mark.parametrize(("code", "message"), ENDS.values(), ids=ENDS)
def test_a_model_that_ends_the_child_is_refused(file, monkeypatch, code, message):
    monkeypatch.setattr(in_child, "START", code)
    if "sleep" in code:
        monkeypatch.setattr(in_child, "MOST_SECONDS", 0.5)
    with pytest.raises(ModelError, match=message) as caught:
        try_in_child(file, card_from_content(CARD))
    assert str(file.path) in str(caught.value)
    assert "copy or download it again" in str(caught.value)


def test_what_a_model_prints_is_no_answer(file, monkeypatch):
    monkeypatch.setattr(in_child, "START", 'print("all is well"); import os; os.kill(os.getpid(), 11)')
    with pytest.raises(ModelError, match="SIGSEGV"):
        try_in_child(file, card_from_content(CARD))


def test_a_file_is_tried_once_and_then_remembered(tiny_model, untrusted, monkeypatch):
    tried = []
    monkeypatch.setattr(session, "try_in_child", lambda *given: tried.append(given) or True)
    for _ in range(2):
        session._open_models.clear()
        load_model(tiny_model, "cpu")
    assert len(tried) == 1
    assert [path.name for path in untrusted.iterdir()] == [sha256(tiny_model)]
    tiny_model.write_bytes(tiny_onnx(offset=-3.0))
    load_model(tiny_model, "cpu")
    assert len(tried) == 2


REFUSED = {
    "fails its own test": (with_test(-3.0), "does not compute what it did when it was written"),
    "damaged test": (tiny_onnx() + field(14, field(1, STORED_TEST_KEY) + field(2, "{}")), "the stored test is damaged"),
    "damaged weight": (tiny_onnx(gain=float("nan")), "no numbers"),
}


@pytest.mark.parametrize("has_child", [True, False])
@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_a_first_opening_runs_the_test_of_the_file(tiny_model, untrusted, monkeypatch, content, message, has_child):
    """In a frozen application there is no Python to start: the test is run all the same."""
    tiny_model.write_bytes(content)
    monkeypatch.setattr(sys, "frozen", not has_child, raising=False)
    with pytest.raises(ModelError, match=message) as caught:
        load_model(tiny_model, "cpu")
    assert str(tiny_model) in str(caught.value)
    assert not untrusted.exists()


def test_a_sound_model_passes_its_test(tiny_model, untrusted):
    tiny_model.write_bytes(with_test(-4.0))
    load_model(tiny_model, "cpu")
    assert len(list(untrusted.iterdir())) == 1


def test_answers_for_a_file_without_a_card_are_tried_too(tiny_model, untrusted):
    tiny_model.write_bytes(tiny_onnx(card=None))
    card = card_from_content(changed_card(name="mine"))
    assert load_model(tiny_model, "cpu", card=card).card == card


def test_without_a_child_a_sound_model_opens(tiny_model, untrusted, monkeypatch):
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    load_model(tiny_model, "cpu")
    assert len(list(untrusted.iterdir())) == 1


@pytest.mark.parametrize("executable", ["", None, "/opt/CellProfiler/CellProfiler", "/nowhere/python3"])
def test_what_is_no_python_is_not_started(monkeypatch, executable):
    monkeypatch.setattr(sys, "executable", executable)
    assert python_for_children() is None


def test_a_child_that_cannot_start_is_no_fault_of_the_model(file, monkeypatch):
    monkeypatch.setattr(in_child, "python_for_children", lambda: "/nowhere/python")
    assert not try_in_child(file, card_from_content(CARD))


def test_a_child_that_lacks_packages_is_no_fault_of_the_model(file, monkeypatch):
    monkeypatch.setattr(
        in_child,
        "search_path",
        lambda: [
            str(in_child.PACKAGE_FOLDER),
            *[folder for folder in sys.path if folder and "site-packages" not in folder],
        ],
    )
    assert not try_in_child(file, card_from_content(CARD))


def test_a_model_that_gives_objects_is_tried_in_the_child(tiny_model, untrusted):
    tiny_model.write_bytes(instances_onnx())
    model = load_model(tiny_model, "cpu")
    assert (untrusted / model.sha256).exists()


def test_one_that_gives_more_objects_than_it_promises_is_refused_in_the_child(tiny_model, untrusted):
    card = instances_card(postprocessing={"max_objects": 1})
    tiny_model.write_bytes(instances_onnx(card))
    with pytest.raises(ModelError, match="promises 1 at most"):
        load_model(tiny_model, "cpu")
    assert not untrusted.exists()
