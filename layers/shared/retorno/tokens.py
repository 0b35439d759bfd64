"""The tokens of the user pool, where no gateway has looked at them: they are signed by its keys."""

from functools import cached_property

import jwt

from retorno.errors import NotAuthenticated, Unavailable
from retorno.users import User

KEYS_TIMEOUT_SECONDS = 3


class Tokens:
    """ID tokens that `issuer` gives to the client `audience`, and signs with keys that it shows at
    `keys_url`.
    """

    def __init__(self, issuer: str, audience: str, keys_url: str) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys_url = keys_url

    @cached_property
    def _keys(self) -> jwt.PyJWKClient:
        return jwt.PyJWKClient(self._keys_url, timeout=KEYS_TIMEOUT_SECONDS)

    def read(self, token: str) -> tuple[User, float]:
        """Whose it is, and when it ends, in seconds since the epoch.

        Raises NotAuthenticated, Unavailable.
        """
        try:
            claims = jwt.decode(
                token,
                self._keys.get_signing_key_from_jwt(token).key,
                algorithms=["RS256"],
                audience=self._audience,
                issuer=self._issuer,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWKClientConnectionError as error:
            raise Unavailable("the keys of the user pool cannot be read") from error
        except jwt.PyJWTError as error:
            raise NotAuthenticated("the token does not hold") from error
        if claims.get("token_use") != "id":
            raise NotAuthenticated("the token is no ID token")
        name = str(claims.get("cognito:username") or claims["sub"])
        groups = frozenset(str(group) for group in claims.get("cognito:groups", ()))
        return User(name, str(claims.get("custom:agent") or name), groups), claims["exp"]
