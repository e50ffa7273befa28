"""Links under the address of a content delivery network, which checks them by itself."""

import hashlib
from base64 import urlsafe_b64encode
from urllib.parse import quote, urlsplit

SHORTEST_SECRET = 32


class CdnLinks:
    """Links that expire, as nginx's `secure_link` module checks them.

    With this configuration:

        secure_link $arg_md5,$arg_expires;
        secure_link_md5 "$secure_link_expires$uri <secret>";

    where "$secure_link" is "" when the signature is wrong and "0" when the link is too old.
    """

    def __init__(self, base: str, secret: bytes) -> None:
        """`base` is the URL under which the network has the store's prefix."""
        if len(secret) < SHORTEST_SECRET:
            raise ValueError(f"a secret of {len(secret)} bytes can be guessed")
        self._base = base.rstrip("/")
        self._path = urlsplit(self._base).path
        self._secret = secret

    def __call__(self, key: str, expires: float) -> str:
        """The address of `key` until `expires`, in whole seconds, never later than asked."""
        until = int(expires)
        signed = f"{until}{self._path}/{key} ".encode() + self._secret
        # No other digest is known to nginx. To forge one asks for the secret at its end, not for
        # two texts of one digest.
        digest = hashlib.md5(signed).digest()  # noqa: S324
        signature = urlsafe_b64encode(digest).decode().rstrip("=")
        return f"{self._base}/{quote(key)}?md5={signature}&expires={until}"
