"""An OpenID Connect issuer on loopback: publishes its keys and signs tokens, well or badly."""

import base64
import hashlib
import hmac
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kinesphere.adapters.clock import SystemClock

AUDIENCE: Final = "kinesphere"
DISCOVERY: Final = "/.well-known/openid-configuration"
JWKS: Final = "/keys"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class Issuer:
    """One issuer.

    Attributes:
        private: Its keys by kid, with their algorithm.
        published: What it publishes of them; None answers 500.
        discovery: Its discovery document.
        asked: How often each path was asked for.
        release: While it is not set, answers wait.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.private: dict[str, tuple[str, PrivateKey]] = {}
        self.published: Any = {"keys": []}
        self.discovery: Any = {"issuer": url, "jwks_uri": url + JWKS}
        self.asked: Counter[str] = Counter()
        self.release = threading.Event()
        self.release.set()

    def add(self, kid: str, algorithm: str) -> None:
        """Make a key and publish it."""
        self.private[kid] = (algorithm, private_key(algorithm))
        self.published["keys"].append(self.jwk(kid))

    def withdraw(self, kid: str) -> None:
        """Publish a key no more; it can still sign."""
        self.published["keys"] = [k for k in self.published["keys"] if k["kid"] != kid]

    def jwk(self, kid: str) -> dict[str, Any]:
        """The public half of a key, as published."""
        algorithm, key = self.private[kid]
        handler = jwt.get_algorithm_by_name(algorithm)
        public: dict[str, Any] = handler.to_jwk(key.public_key(), as_dict=True)
        return {**public, "kid": kid, "use": "sig", "alg": algorithm}

    def pem(self, kid: str) -> bytes:
        """The public half as a PEM."""
        public = self.private[kid][1].public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def claims(self, **other: Any) -> dict[str, Any]:
        """Those of a good token; None leaves one out."""
        now = int(SystemClock().now())
        good = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "ada",
            "scope": "openid generate",
            "iat": now,
            "nbf": now,
            "exp": now + 300,
        }
        return {name: value for name, value in {**good, **other}.items() if value is not None}

    def token(self, kid: str, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token signed with that key."""
        algorithm, key = self.private[kid]
        headers = {"kid": kid, **(header or {})}
        return jwt.encode(self.claims(**claims), key, algorithm, headers)

    def serve(self, path: str) -> tuple[int, bytes]:
        self.asked[path] += 1
        self.release.wait(30)
        body = {DISCOVERY: self.discovery, JWKS: self.published}.get(path)
        if body is None:
            return 500, b"down"
        return 200, body if isinstance(body, bytes) else json.dumps(body).encode()


def private_key(algorithm: str) -> PrivateKey:
    """A new key for an algorithm."""
    if algorithm.startswith(("RS", "PS")):
        return rsa.generate_private_key(65537, 2048)
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    curves: dict[str, ec.EllipticCurve] = {
        "ES256": ec.SECP256R1(),
        "ES384": ec.SECP384R1(),
        "ES512": ec.SECP521R1(),
    }
    return ec.generate_private_key(curves[algorithm])


def unsigned(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """A token put together by hand."""
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def confused(issuer: Issuer, kid: str, **claims: Any) -> str:
    """A token signed by HMAC with the public key as the secret, as a careless server takes it."""
    bare = unsigned({"alg": "HS256", "typ": "JWT", "kid": kid}, issuer.claims(**claims))
    signed = bare.rpartition(".")[0]
    digest = hmac.new(issuer.pem(kid), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


@contextmanager
def issuer(port: int = 0) -> Iterator[Issuer]:
    """A running issuer with an RS256 key `rsa` and an ES256 key `ec`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = running.serve(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                # Whoever asked had enough of it.
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", port), Handler) as server:
        running = Issuer(f"http://127.0.0.1:{server.server_port}")
        running.add("rsa", "RS256")
        running.add("ec", "ES256")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield running
        finally:
            running.release.set()
            server.shutdown()
            thread.join()
