"""Each Python collects what it has the packages for."""

from importlib.util import find_spec

collect_ignore = []
if find_spec("cellprofiler_core") is None:
    collect_ignore += [
        "test_first_pipeline.py",
        "test_guides.py",
        "test_replace_commands.py",
        "test_replace_table.py",
        "test_settings_reference.py",
        "test_time_lapse.py",
        "test_troubleshooting.py",
    ]
else:
    from tests.plugin.conftest import field, module, run  # noqa: F401
if find_spec("torch") is None:
    collect_ignore += [
        "test_bioimageio.py",
        "test_commands.py",
        "test_examples.py",
        "test_export_of_volumes.py",
        "test_first_model.py",
        "test_label_free.py",
        "test_labels_from_stain.py",
        "test_links.py",
        "test_mask_rcnn.py",
        "test_model_card.py",
        "test_options_in_docs.py",
        "test_three_dimensions.py",
    ]
