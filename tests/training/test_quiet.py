import logging
import warnings

from cpunet.training.quiet import LOGGERS, quiet_libraries


def warn_as(module):
    warnings.warn_explicit("outdated", FutureWarning, f"{module}.py", 1, module=module)


def test_libraries_are_quiet_and_our_own_warnings_are_not(caplog):
    before = [logging.getLogger(name).level for name in LOGGERS]
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        with quiet_libraries():
            logging.getLogger("lightning.pytorch").info("an advertisement")
            for module in ("lightning.pytorch.trainer", "torch", "torchvision", "cpunet.training.train"):
                warn_as(module)
    assert [each.filename for each in heard] == ["torchvision.py", "cpunet.training.train.py"]
    assert caplog.text == ""
    assert [logging.getLogger(name).level for name in LOGGERS] == before
