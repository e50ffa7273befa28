"""Deploying Kinesphere."""
