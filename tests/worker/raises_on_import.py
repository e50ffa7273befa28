"""An engine whose library is not there."""

raise ImportError("no such library")
