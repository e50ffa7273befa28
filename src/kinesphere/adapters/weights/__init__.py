"""Models' weights on this machine: fetched once, verified before use, shared by all replicas."""
