import collections
import pickle

import numpy as np
import pytest

from cpunet.training.importing.formats.plain_pickle import StoredArray, UnsafePickleError, read_plain_pickle


@pytest.mark.parametrize("protocol", [3, 4])
def test_plain_values_come_back(protocol):
    content = {"a": [1, 2.5, None, True], "b": ("x", {"c": {4, 5}}), 3: collections.OrderedDict(d=1), "e": -(2**70)}
    assert read_plain_pickle(pickle.dumps(content, protocol)) == content


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, ">i4", np.uint64, np.float16, np.float32, np.float64])
def test_arrays_of_numbers_come_back(dtype):
    array = np.arange(24).reshape(4, 6).astype(dtype)
    for each in (array, array.T, array[:0]):
        read = read_plain_pickle(pickle.dumps(each, 4))
        assert isinstance(read, StoredArray)
        np.testing.assert_array_equal(read.numbers(), each)
        assert read.numbers().dtype == each.dtype


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "os.system"),
        (b"cbuiltins\neval\n(S'1'\ntR.", "builtins.eval"),
        (b"cnumpy\nload\n(S'x'\ntR.", "numpy.load"),
        (b"cnumpy.core.multiarray\nfromfile\n(S'x'\ntR.", "numpy.core.multiarray.fromfile"),
        (b"(S'true'\nios\nsystem\n.", "os.system"),
        (b"\x8c\x02os\x8c\x06system\x93.", "os.system"),
    ],
)
def test_names_of_other_things_are_refused(command, name):
    with pytest.raises(UnsafePickleError, match=f"it asks for {name}"):
        read_plain_pickle(command)


@pytest.mark.parametrize(
    "command",
    [
        b"}r\xff\xff\xff\x7f.",  # a table of 2**31 places
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",  # a text of 2**63 bytes
        b"(I1\nI2\n",
        b"N",
        b"",
        b"\xff.",
        b"\x82\x01.",  # a name from a table that Python programs may fill
        b"P1\n.",  # a name that the reader should know
    ],
)
def test_damaged_commands_are_refused_before_they_take_memory(command):
    with pytest.raises(UnsafePickleError, match=r"damaged|its table"):
        read_plain_pickle(command)


def test_a_pickle_cannot_change_how_the_next_one_is_read():
    with pytest.raises(UnsafePickleError, match="damaged"):  # sets the attribute numbers of the stand-in of ndarray
        read_plain_pickle(b"cnumpy\nndarray\n(N}S'numbers'\n)stb.")
    array = np.arange(3)
    np.testing.assert_array_equal(read_plain_pickle(pickle.dumps(array)).numbers(), array)


def test_an_array_with_less_content_than_it_declares_is_none():
    read = StoredArray()
    for state in (None, (1, (3,), None, False, b""), (1, (10**12,), None, False, b""), (1, (-1,), None, False, b"")):
        read.__setstate__(state)
        assert read.numbers() is None
