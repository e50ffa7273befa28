"""The HTTP API: reads requests, calls the service, writes answers."""
