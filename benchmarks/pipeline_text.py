"""Edit CellProfiler pipelines as text: put IdentifyObjectsUNet where IdentifyPrimaryObjects stands."""

import re
from typing import Dict, List

MODULE_START = re.compile(r"^(\w+):\[module_num:(\d+)\|", re.M)
PRIMARY, UNET = "IdentifyPrimaryObjects", "IdentifyObjectsUNet"


def split_modules(pipeline: str) -> List[str]:
    """Split a .cppipe text into its header and the blocks of its modules.

    Parameters
    ----------
    pipeline : str

    Returns
    -------
    list of str
        Joined, they are `pipeline` again.
    """
    starts = [match.start() for match in MODULE_START.finditer(pipeline)]
    return [pipeline[begin:end] for begin, end in zip([0, *starts], [*starts, len(pipeline)])]


def module_settings(block: str) -> Dict[str, str]:
    """Return a module's settings, by the text that the window shows; of two with one text the first."""
    settings: Dict[str, str] = {}
    for line in block.splitlines()[1:]:
        text, colon, value = line.strip().partition(":")
        if colon:
            settings.setdefault(text, value)
    return settings


def module_block(name: str, number: int, revision: int, settings: Dict[str, str], show_window: bool = False) -> str:
    """Write a module's block.

    Parameters
    ----------
    name : str
        Of the module.
    number : int
        Its place in the pipeline, from 1.
    revision : int
        Its variable_revision_number.
    settings : dict of str to str
        In the order of the module's ``settings()``.
    show_window : bool
        Whether CellProfiler's window shows the module's figure.

    Returns
    -------
    str
    """
    head = (
        f"{name}:[module_num:{number}|svn_version:'Unknown'|variable_revision_number:{revision}|show_window:{show_window}|"
        "notes:[]|batch_state:array([], dtype=uint8)|enabled:True|wants_pause:False]"
    )
    return "\n".join([head, *[f"    {text}:{value}" for text, value in settings.items()]]) + "\n\n"


def unet_settings(image: str, objects: str, **changed: str) -> Dict[str, str]:
    """Return the settings of IdentifyObjectsUNet, revision 3, at their defaults.

    Parameters
    ----------
    image, objects : str
        Names of the input image and of the objects.
    **changed : str
        Other values, by the keys below.

    Returns
    -------
    dict of str to str

    Raises
    ------
    KeyError
        If `changed` names a setting that there is not.
    """
    keys = {
        "model": ("Select the model", "nuclei_fluorescence"),
        "model_directory": ("Folder of the model file", "Elsewhere...|"),
        "model_file": ("Name of the model file", "model.onnx"),
        "diameter_range": ("Typical diameter of objects, in pixel units (Min,Max)", "10,40"),
        "discard_size": ("Discard objects outside the diameter range?", "No"),
        "discard_border": ("Discard objects touching the border of the image?", "No"),
        "rescale": ("Rescale the image for the model?", "By the objects in the image"),
        "advanced": ("Use advanced settings?", "No"),
        "use_model_threshold": ("Use the model's own foreground threshold?", "Yes"),
        "foreground_threshold": ("Foreground threshold", "0.5"),
        "declump": ("Method to separate touching objects", "Probability"),
        "device": ("Select the device", "Automatic"),
        "save_probability": ("Save the probability image?", "No"),
        "probability_name": ("Name the probability image", "ProbabilityNuclei"),
        "rescale_factor": ("Factor to rescale by", "1.0"),
        "smoothing_automatic": ("Automatically calculate the smoothing for declumping?", "Yes"),
        "smoothing": ("Size of the smoothing filter, in pixel units", "5.0"),
        "distance_automatic": ("Automatically calculate the minimum distance between seeds?", "Yes"),
        "distance": ("Minimum distance between seeds, in pixel units", "7.0"),
        "fill_holes": ("Fill holes in identified objects?", "By the model"),
        "excessive": ("Handling of objects if excessive number of objects identified", "Continue"),
        "object_limit": ("Maximum number of objects", "500"),
        "augmentation": ("Look at the image several times?", "None"),
        "tiles_automatic": ("Automatically choose the tile size?", "Yes"),
        "tile": ("Tile size, in pixel units", "1024"),
        "batch": ("Tiles at a time", "1"),
        "memory_automatic": ("Automatically limit the GPU's memory?", "Yes"),
        "memory": ("GPU memory for each copy of CellProfiler, in GB", "4.0"),
        "further_models": ("Further models to average with", ""),
        "channels": ("Which images does this model take?", "Grayscale"),
        "roles": ("What does each channel of its output mean?", "foreground"),
        "normalization": ("How must the image's brightness be prepared?", "percentile 1 to 99.8"),
        "trained_diameter": ("Typical diameter of the objects it was trained on, in pixel units", "30.0"),
        "probabilities": ("Further probability images", "0"),
    }
    unknown = set(changed) - set(keys)
    if unknown:
        raise KeyError(f"IdentifyObjectsUNet has no setting {sorted(unknown)[0]!r}")
    settings = {"Select the input image": image, "Name the objects to be identified": objects}
    settings.update({text: changed.get(key, default) for key, (text, default) in keys.items()})
    return settings


def replace_primary_objects(pipeline: str, **changed: str) -> str:
    """Put IdentifyObjectsUNet in the place of each IdentifyPrimaryObjects, with its names and filters.

    Parameters
    ----------
    pipeline : str
        A .cppipe text.
    **changed : str
        Settings other than the defaults, see `unet_settings`.

    Returns
    -------
    str
        Every other module is unchanged.

    Raises
    ------
    ValueError
        If there is no IdentifyPrimaryObjects.
    """
    blocks = split_modules(pipeline)
    replaced = []
    for block in blocks:
        start = MODULE_START.match(block)
        if start is None or start.group(1) != PRIMARY:
            replaced.append(block)
            continue
        old = module_settings(block)
        settings = unet_settings(
            old["Select the input image"],
            old["Name the primary objects to be identified"],
            **{
                "diameter_range": old["Typical diameter of objects, in pixel units (Min,Max)"],
                "discard_size": old["Discard objects outside the diameter range?"],
                "discard_border": old["Discard objects touching the border of the image?"],
                **changed,
            },
        )
        replaced.append(module_block(UNET, int(start.group(2)), 3, settings, show_window=True))
    if replaced == blocks:
        raise ValueError(f"The pipeline has no module {PRIMARY}.")
    return "".join(replaced)


def append_modules(pipeline: str, blocks: List[str]) -> str:
    """Add modules at the end of a pipeline, and count them in its header.

    Parameters
    ----------
    pipeline : str
    blocks : list of str
        From `module_block`, numbered on from the pipeline's last.

    Returns
    -------
    str
    """
    count = len(split_modules(pipeline)) - 1 + len(blocks)
    counted = re.sub(r"^ModuleCount:\d+$", f"ModuleCount:{count}", pipeline, flags=re.M)
    return counted.rstrip("\n") + "\n\n" + "".join(blocks)


def save_image_settings(image: str, suffix: str) -> Dict[str, str]:
    """Return the settings of SaveImages, revision 15, that write a 16-bit TIFF named after the DNA image."""
    return {
        "Select the type of image to save": "Image",
        "Select the image to save": image,
        "Select method for constructing file names": "From image filename",
        "Select image name for file prefix": "OrigBlue",
        "Enter single file name": "unused",
        "Number of digits": "4",
        "Append a suffix to the image file name?": "Yes",
        "Text to append to the image name": suffix,
        "Saved file format": "tiff",
        "Output file location": "Default Output Folder|",
        "Image bit depth": "16-bit integer",
        "Overwrite existing files without warning?": "Yes",
        "When to save": "Every cycle",
        "Record the file and path information to the saved image?": "No",
        "Create subfolders in the output folder?": "No",
        "Base image folder": "Default Input Folder",
        "How to save the series": "T (Time)",
    }


def save_nuclei_blocks(first_number: int) -> List[str]:
    """Write the three modules that save a field's nuclei as labels, and the image they were found in."""
    to_labels = {
        "Select the input objects": "Nuclei",
        "Name the output image": "NucleiLabels",
        "Select the color format": "uint16",
        "Select the colormap": "Default",
    }
    return [
        module_block("ConvertObjectsToImage", first_number, 1, to_labels),
        module_block("SaveImages", first_number + 1, 15, save_image_settings("NucleiLabels", "_labels")),
        module_block("SaveImages", first_number + 2, 15, save_image_settings("CropBlue", "_image")),
    ]
