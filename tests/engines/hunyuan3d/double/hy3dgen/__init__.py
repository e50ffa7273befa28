"""A double of the vendor's package: see `texgen`."""
