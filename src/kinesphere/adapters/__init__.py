"""Thin implementations of the ports over real things."""
