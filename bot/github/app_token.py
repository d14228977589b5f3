"""Signs the JSON Web Tokens with which the App identifies itself to GitHub."""

from dataclasses import dataclass, field

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key


@dataclass(frozen=True, slots=True)
class AppCredentials:
    """Who we are: `issuer` is the client id (or the App id), the private keys are PEM text, the newest first.

    Raises ValueError, naming the position and never the key, if one is not an RSA private key or there is none.
    """

    issuer: str
    private_keys: tuple[str, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if not self.issuer:
            raise ValueError("the App has no client id")
        if not self.private_keys:
            raise ValueError("the App has no private key")
        for position, pem in enumerate(self.private_keys, 1):
            if not _is_rsa(pem):
                raise ValueError(f"private key {position} of {len(self.private_keys)} is not an RSA key in PEM format")


def _is_rsa(pem: str) -> bool:
    try:
        return isinstance(load_pem_private_key(pem.encode(), password=None), RSAPrivateKey)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False


def app_token(issuer: str, private_key: str, now: float) -> str:
    """A JWT for `now` (GitHub's clock, epoch seconds).

    Valid from a minute ago, for clocks that differ, until nine minutes ahead, of the ten that GitHub allows
    (https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app).
    """
    claims = {"iat": int(now) - 60, "exp": int(now) + 540, "iss": issuer}
    return jwt.encode(claims, private_key, algorithm="RS256")
