"""Kinesphere serves generative models of motion and 3D form in production."""

__version__ = "0.1.0"
