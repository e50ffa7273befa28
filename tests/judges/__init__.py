"""Readers of other projects that judge the files we write."""
