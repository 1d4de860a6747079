"""Modules of a pipeline that CellProfiler 4.2 does not read, whatever becomes of IdentifyPrimaryObjects."""

from __future__ import annotations

from typing import List, Sequence

from cpunet.conversion.saved import UNET, SavedModule

# All modules of CellProfiler 4.2.8, and the names that it still knows them by.
OF_CELLPROFILER = """
Align CalculateMath CalculateStatistics ClassifyObjects Closing ColorToGray CombineObjects ConvertImageToObjects
ConvertObjectsToImage CorrectIlluminationApply CorrectIlluminationCalculate CreateBatchFiles Crop DefineGrid
DilateImage DilateObjects DisplayDataOnImage DisplayDensityPlot DisplayHistogram DisplayPlatemap DisplayScatterPlot
EditObjectsManually EnhanceEdges EnhanceOrSuppressFeatures ErodeImage ErodeObjects ExpandOrShrinkObjects
ExportToDatabase ExportToSpreadsheet FillObjects FilterObjects FindMaxima FlagImage FlipAndRotate GaussianFilter
GrayToColor Groups IdentifyDeadWorms IdentifyObjectsInGrid IdentifyObjectsManually IdentifyPrimaryObjects
IdentifySecondaryObjects IdentifyTertiaryObjects ImageMath Images InvertForPrinting LabelImages LoadData
MakeProjection MaskImage MaskObjects MatchTemplate MeasureColocalization MeasureGranularity MeasureImageAreaOccupied
MeasureImageIntensity MeasureImageOverlap MeasureImageQuality MeasureImageSkeleton MeasureObjectIntensity
MeasureObjectIntensityDistribution MeasureObjectNeighbors MeasureObjectOverlap MeasureObjectSizeShape
MeasureObjectSkeleton MeasureTexture MedialAxis MedianFilter Metadata Morph MorphologicalSkeleton NamesAndTypes
Opening OverlayObjects OverlayOutlines ReduceNoise RelateObjects RemoveHoles RescaleIntensity Resize ResizeObjects
RunImageJMacro SaveCroppedObjects SaveImages ShrinkToObjectCenters Smooth SplitOrMergeObjects StraightenWorms
Threshold Tile TrackObjects UnmixColors UntangleWorms Watershed
ApplyThreshold CalculateImageOverlap CropObjects Dilation Erosion MeasureCorrelation MeasureNeurons NoiseReduction
ReassignObjectNumbers SplitIntoContiguousObjects
"""
# Where older settings than these are refused; other modules bring all older settings up to date.
OLDEST_REVISIONS = {
    "IdentifyPrimaryObjects": 10,
    "IdentifySecondaryObjects": 9,
    "ApplyThreshold": 7,
    "Threshold": 7,
    "MeasureCorrelation": 2,
    "MeasureColocalization": 2,
}
LAST_TO_SAVE_OBJECTS = 11  # of the revisions of SaveImages
IN_PLACE_OF = dict.fromkeys(
    ("LoadImages", "LoadSingleImage"), "Images, Metadata, NamesAndTypes and Groups, or LoadData"
)


def said_of_removed(modules: Sequence[SavedModule]) -> List[str]:
    """Say of each module that CellProfiler 4.2 does not read, disabled or not, why it is so, and what to do.

    Without a window, CellProfiler ends the reading of a pipeline at such a module, and runs what stands before it.
    """
    said = []
    for module in modules:
        name, what = module.name.split(".")[-1], f"module {module.number}, {module.name}"
        if name not in OF_CELLPROFILER.split() and name != UNET:
            instead = IN_PLACE_OF.get(name, "another")
            plugin = "" if name in IN_PLACE_OF else "install its plugin, or "
            said.append(f"{what}: CellProfiler 4.2 has no such module; {plugin}put in its place {instead}")
        elif module.revision < OLDEST_REVISIONS.get(name, 0):
            said.append(
                f"{what}: CellProfiler 4.2 reads its settings from revision {OLDEST_REVISIONS[name]} on, and these are "
                f"of revision {module.revision}; put a new one in its place"
            )
        elif name == "SaveImages" and module.revision <= LAST_TO_SAVE_OBJECTS and _first_value(module) == "Objects":
            said.append(
                f"{what}: CellProfiler 4.2 saves no objects here; save what ConvertObjectsToImage makes of them"
            )
    return said


def _first_value(module: SavedModule) -> str:
    return module.settings[0].value if module.settings else ""
