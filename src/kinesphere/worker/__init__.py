"""Replicas: a supervisor in the parent process, an engine in its child."""
