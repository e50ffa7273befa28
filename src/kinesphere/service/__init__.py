"""The use cases: everything that happens to the platform enters here, whoever asks."""

from kinesphere.service.service import Service
from kinesphere.service.values import Accepted, Caller, Content, Link, Pool, Remote, Terms

__all__ = ["Accepted", "Caller", "Content", "Link", "Pool", "Remote", "Service", "Terms"]
