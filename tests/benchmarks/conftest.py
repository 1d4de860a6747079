"""Each Python collects what it has the packages for."""

from importlib.util import find_spec

collect_ignore = []
if find_spec("cellprofiler_core") is None:
    collect_ignore += [
        "gallery",
        "generalization/test_primary.py",
        "generalization/test_table.py",
        "speed/test_module.py",
        "stress",
        "test_memory_flat.py",
        "test_pipeline_text.py",
    ]
else:
    import tests.start_host  # noqa: F401
if find_spec("lightning") is None:
    collect_ignore += [
        "boundary_width",
        "detection",
        "encoders",
        "few_images",
        "folds",
        "generalization/test_configs.py",
        "object_choice",
        "speed/test_limit.py",
        "speed/test_torch_networks.py",
        "test_data_set_with_labels.py",
        "test_drawn_outlines.py",
        "test_gpu_visit.py",
        "test_start_shares.py",
    ]
