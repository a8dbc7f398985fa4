"""sendit: folders of DICOM studies in, pseudonymized and verified archives with searchable metadata out."""

from importlib.metadata import version

__version__ = version("sendit")
