"""The private elements that place the slices of a mosaic: the volume's slices as tiles of one image."""

from __future__ import annotations

RULE = "sendit: geometry would be lost"
"""The rule that withholds an image whose slices would have no place any more."""

CSA_IMAGE_HEADER, SIEMENS_COUNT, GRID_COUNT, GRID_FRAMES = (
    (0x0029, 0x10),
    (0x0019, 0x0A),
    (0x0065, 0x50),
    (0x0065, 0x51),
)
PLACES = {
    CSA_IMAGE_HEADER: "SIEMENS CSA HEADER",
    SIEMENS_COUNT: "SIEMENS MR HEADER",
    GRID_COUNT: "Image Private Header",
    GRID_FRAMES: "Image Private Header",
}
"""Their groups and last bytes, with their creators: Siemens' CSA Image Header Info and NumberOfImagesInMosaic, United
Imaging's Number of Images in Grid and MR VFrame Sequence."""
GROUPS = frozenset(group for group, _ in PLACES)


def places_slices(tag: int) -> bool:
    """Whether a tag is that of such an element, in any block."""
    return tag >> 16 in GROUPS and tag & 0xFFFF > 0xFF and (tag >> 16, tag & 0xFF) in PLACES
