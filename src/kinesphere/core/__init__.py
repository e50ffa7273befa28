"""Pure values and functions: no clock, network, disk or framework."""
