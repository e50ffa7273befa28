"""Codecs: bytes to values and back. No codec opens a file or knows an engine."""
