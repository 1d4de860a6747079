"""The module's help, as CellProfiler's window shows it; the help of each setting stands with the setting."""

HELP = """\
IdentifyObjectsUNet
===================

**IdentifyObjectsUNet** finds nuclei, or other objects that a model was trained
for, with a neural network (a U-Net), and separates those that touch. It takes
the place of **IdentifyPrimaryObjects**: give its objects the same name and
every module downstream works on as before.

|

============ ============ ===============
Supports 2D? Supports 3D? Respects masks?
============ ============ ===============
YES          YES          YES
============ ============ ===============

See also
^^^^^^^^

**IdentifyPrimaryObjects**, **IdentifySecondaryObjects**,
**FilterObjects** and **MeasureObjectSizeShape**.

When should I use this module?
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

Use it where **IdentifyPrimaryObjects** needs its threshold adjusted from plate
to plate, merges nuclei that touch, or cuts large ones into pieces. The network
has learned from labeled images what a nucleus looks like, so there is no
threshold to adjust to the brightness of an image.

What do I need as input?
^^^^^^^^^^^^^^^^^^^^^^^^

-  For the model *nuclei_fluorescence*, a grayscale image with bright objects on a dark
   background (DAPI, Hoechst or a similar stain). Its brightness and bit depth
   do not matter. Convert color images with **ColorToGray** first.
-  For the model *nuclei_generalist*, a grayscale or a color image: fluorescence, unstained
   bright field, or stained tissue. Objects may be bright or dark.
-  A 2D image, or a 3D stack (*Process as 3D?* in **NamesAndTypes**). A model of volumes sees a stack as a volume.
   A model of 2D images sees it plane by plane, and the objects of neighboring planes are linked. The log and the
   figure say which it was. If the image has a mask, or was cropped, only the part inside is used.
-  The package *onnxruntime*. If it is missing, the module shows the command that installs it.

What do I get as output?
^^^^^^^^^^^^^^^^^^^^^^^^

Objects that every other module can use. As in **IdentifyPrimaryObjects**,
discarded objects are kept separately, so that
**IdentifySecondaryObjects** and **MeasureObjectNeighbors** can take them into
account. On request, you also get images of the probability that a pixel belongs to an object, or to its border.

The figure shows the input image, the objects, the probabilities, and the outlines of the objects:

-  Green: accepted objects.
-  Magenta: objects discarded because of their size.
-  Orange: objects discarded because they touch the border.

These are the default colors of CellProfiler's preferences. A table gives the number and the sizes of the objects.
For a stack, the figure shows the plane with the most objects, and a section along Z.

Measurements made by this module
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

**Image measurements:**

-  *Count:* The number of objects found.
-  *Segmentation_ForegroundArea:* The number of pixels (voxels) in objects.
-  *Segmentation_CountFromArea:* This area divided by the area of a typical object. It estimates the
   count where some clumps cannot be separated. It holds where most objects lie apart and the clumps
   are made of objects of the same size, as in cell culture. In tissue and dense layers it is not a
   number (nan), since nothing there says how large one object is; the log says so. Use *Count* then.
-  *Segmentation_Seconds:* The time that the module took.
-  *Segmentation_Model, Segmentation_ModelSHA256:* The name of the model and the SHA-256 checksum of
   its file. Both are also written once for the whole experiment.

**Object measurements:**

-  *Location\\_Center\\_X, Location\\_Center\\_Y, Location\\_Center\\_Z:* The pixel
   coordinates of the center of each object. Z is 0 in a 2D image.
-  *Confidence_Foreground:* The mean foreground probability of the object's pixels, 0 to 1. For a model that
   gives objects itself, such as a Mask R-CNN, its score of the object.
-  *Confidence_Boundary:* How sharply the probability falls at the object's outline, 0 to 1. If the value is low,
   do not trust the outline.
-  *Confidence_PredictedIoU:* How well the object is expected to fit a true one, 0 to 1: the area that both cover,
   divided by the area that either covers. Only with *Combine models: Choose per object*.
-  *Number\\_Object\\_Number:* The number of each object, 1 to the count.

**IdentifyPrimaryObjects** also writes measurements named *Threshold*. This module
does not threshold the image and writes none. It warns you if a later module uses one.

Technical notes
^^^^^^^^^^^^^^^

1. The contrast of the image is stretched between two of its percentiles.
2. If the objects are too small or too large for the model, the image is rescaled.
3. For each pixel, the network computes the probability that it lies in an object, the probability that it lies
   on the border between two objects, and how deep it lies inside an object. A model may compute only some of these.
4. A seed is placed in the middle of each object.
5. A watershed from the seeds divides touching objects. (A model that gives objects itself, such as a Mask R-CNN, does
   steps 3 to 5 by boxes, scores and masks. A pixel that two objects claim goes to the one with the nearest center.)
6. If the image was shrunk for the network, or *Outlines* asks for it, the outlines are drawn again in the pixels of the
   image itself.

References
^^^^^^^^^^

-  Ronneberger O, Fischer P, Brox T (2015) "U-Net: Convolutional Networks for
   Biomedical Image Segmentation." *MICCAI*, doi:10.1007/978-3-319-24574-4_28.
-  Caicedo JC et al. (2019) "Evaluation of Deep Learning Strategies for Nucleus
   Segmentation in Fluorescence Images." *Cytometry A* 95:952, doi:10.1002/cyto.a.23863.
"""
