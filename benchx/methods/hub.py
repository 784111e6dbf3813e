"""The hub that files are fetched from: its address, the user's token, and whether the network is forbidden."""

from __future__ import annotations

import os

from benchx.errors import UsageError
from benchx.methods.cards.schema import web_address


def endpoint() -> str:
    """Return the hub's address: that of HF_ENDPOINT, or of the huggingface_hub library.

    Raises:
        UsageError: HF_ENDPOINT is no address.
    """
    from huggingface_hub import constants

    named = (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
    try:
        web_address(named)
    except ValueError as error:
        raise UsageError(
            f"HF_ENDPOINT is {named}, which is no address of a hub", str(error), "mend or unset it"
        ) from error
    return named


def token() -> str | None:
    """Return the hub's token, if there is one.

    Raises:
        UsageError: it is none.
    """
    from huggingface_hub import get_token

    found = get_token()
    if found is not None and not (found.isascii() and found.isprintable()):
        raise UsageError(
            "HF_TOKEN is not a token", "it has characters that no token has", "copy it anew from your hub account"
        )
    return found


def offline() -> bool:
    """Tell whether the huggingface_hub library is told to stay offline, at its import or since."""
    from huggingface_hub import constants

    return constants.HF_HUB_OFFLINE or os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
