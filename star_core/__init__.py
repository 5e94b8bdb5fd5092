"""STAR core: medicine and mathematics, no screen."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("star-viewer")
except PackageNotFoundError:
    __version__ = "0.1.0"

RESEARCH_NOTICE = "Research use only. Not a medical device. Not for diagnosis or treatment decisions."
