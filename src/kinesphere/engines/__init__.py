"""Engines, found through the entry point group `kinesphere.engines`."""
