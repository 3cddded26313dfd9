"""Downloading one file so that an interrupted transfer goes on where it stopped (HTTP Range, RFC 9110 section 14)."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import cast

from studio.bases.pip_settings import PipSettings, WheelPlace

_BLOCK = 1 << 18
_TIMEOUT_SECONDS = 60
_ATTEMPTS = 3


class ResumeImpossibleError(Exception):
    """Fetching in this way does not work here; use another. What was fetched so far is kept."""


def download(place: WheelPlace, folder: Path, settings: PipSettings, report: Callable[[int, int], None]) -> Path:
    """Fetch `place` into `folder`, continuing a `.part` file that an earlier attempt left.

    Args:
        report: called with bytes done and bytes in all (0 if unknown); an exception from it stops the transfer and
            keeps the `.part` file.

    Raises:
        ResumeImpossibleError: the transfer failed.
    """
    part = folder / f"{place.file_name}.part"
    opener = _opener(settings)
    for attempts_left in reversed(range(_ATTEMPTS)):
        try:
            if _transfer(opener, place.url, part, report):
                break
            part.unlink(missing_ok=True)
        except (OSError, HTTPException, ValueError) as error:
            if not attempts_left:
                raise ResumeImpossibleError(str(error)) from error
    else:
        raise ResumeImpossibleError("the server does not accept where the kept part ends")
    return part.replace(folder / place.file_name)


def _transfer(opener: urllib.request.OpenerDirector, url: str, part: Path, report: Callable[[int, int], None]) -> bool:
    """Append what is missing; False when the kept part does not fit what the server has."""
    start = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={start}-"} if start and url.startswith("http") else {}
    request = urllib.request.Request(url, headers={"Accept-Encoding": "identity", **headers})  # noqa: S310 - scheme checked
    try:
        response = cast(HTTPResponse, opener.open(request, timeout=_TIMEOUT_SECONDS))
    except urllib.error.HTTPError as error:
        if error.code == 416:
            return False
        raise
    with response:
        resumed = response.status == 206
        done = start if resumed else 0
        total = done + int(response.headers.get("Content-Length") or 0)
        with part.open("ab" if resumed else "wb") as stream:
            while block := response.read(_BLOCK):
                stream.write(block)
                done += len(block)
                report(done, total)
    if total and done != total:
        raise ValueError(f"the transfer ended after {done} of {total} bytes")
    return True


def _opener(settings: PipSettings) -> urllib.request.OpenerDirector:
    context = ssl.create_default_context(cafile=settings.cert or None)
    proxies = {"http": settings.proxy, "https": settings.proxy} if settings.proxy else None
    return urllib.request.build_opener(
        urllib.request.ProxyHandler(proxies), urllib.request.HTTPSHandler(context=context)
    )
