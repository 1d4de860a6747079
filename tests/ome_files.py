"""Write OME-TIFF files that belong together, as microscopes do."""

import tifffile


def ome_of_many(folder, planes, axis):
    """Write one plane (Y, X), uint16, a file, p0.ome.tif and so on; the OME metadata of each name all of them."""
    height, width = planes[0].shape
    uuids = [f"urn:uuid:{number:08d}-0000-0000-0000-000000000000" for number in range(len(planes))]
    data = "".join(
        f'<TiffData First{axis}="{number}" IFD="0" PlaneCount="1"><UUID FileName="p{number}.ome.tif">{uuid}</UUID>'
        "</TiffData>"
        for number, uuid in enumerate(uuids)
    )
    sizes = " ".join(f'Size{each}="{len(planes) if each == axis else 1}"' for each in "CZT")
    for number, plane in enumerate(planes):
        text = (
            '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="{uuids[number]}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" '
            f'SizeX="{width}" SizeY="{height}" {sizes}><Channel ID="Channel:0:0" SamplesPerPixel="1"/>{data}</Pixels>'
            "</Image></OME>"
        )
        tifffile.imwrite(str(folder / f"p{number}.ome.tif"), plane, description=text, metadata=None)
