"""The version of Penult."""

__version__ = "0.1.0"
