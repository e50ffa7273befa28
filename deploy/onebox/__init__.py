"""A whole cluster as processes of one machine, on loopback: for trying it, and for tests."""
