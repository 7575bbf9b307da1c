"""Ekinshi: a radiology workstation with an embedded second reader."""

__version__ = "0.1.0"
