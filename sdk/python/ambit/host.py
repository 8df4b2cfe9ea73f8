"""How programs reach a host: by the socket in its state folder, or by a port."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import os
import re
import socket
import ssl
from typing import Dict, Optional
from urllib.parse import urlsplit

_CONNECT_TIME = 10.0  # seconds for a connection and its handshake
_ALIVE = 15  # seconds after which a silent host is asked whether it is there


def state_folder() -> str:
    """Where ambit keeps its state."""
    state = os.environ.get("AMBIT_STATE_DIR")
    if state:
        return os.path.abspath(state)
    xdg = os.environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(xdg):
        return os.path.join(xdg, "ambit")
    return os.path.join(os.path.expanduser("~"), ".local", "state", "ambit")


class _Connected(http.client.HTTPConnection):
    """HTTP over a connection that is there."""

    def __init__(self, host: str, wire: socket.socket, timeout: float) -> None:
        super().__init__(host)
        wire.settimeout(timeout)
        self.sock = wire

    def connect(self) -> None:
        raise ConnectionError("the connection has ended")


class Socket:
    """The way by the socket of a state folder."""

    def __init__(self, state: str) -> None:
        self._state = state

    def connect(self, timeout: float) -> http.client.HTTPConnection:
        wire = socket.socket(socket.AF_UNIX)
        try:
            # By the folder's descriptor, since the name of a socket has its bounds.
            folder = os.open(self._state, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                wire.settimeout(min(timeout, _CONNECT_TIME))
                wire.connect(f"/proc/self/fd/{folder}/host.sock")
            finally:
                os.close(folder)
        except BaseException:
            wire.close()
            raise
        return _Connected("ambit", wire, timeout)

    def headers(self) -> Dict[str, str]:
        return {}


class Port:
    """The way by a port, to a host that is known."""

    def __init__(self, url: str, token: str, fingerprint: Optional[bytes], ca_file: Optional[str]) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError(f"the address of a host is https://HOST:PORT, not {url!r}")
        self._host, self._port, self._netloc = parts.hostname, parts.port or 443, parts.netloc
        self._token = token
        self._fingerprint = fingerprint
        self._context = ssl.create_default_context(cafile=ca_file)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3
        if fingerprint is not None:
            # connect compares the one certificate instead.
            self._context.check_hostname = False
            self._context.verify_mode = ssl.CERT_NONE

    def connect(self, timeout: float) -> http.client.HTTPConnection:
        """Connects.

        Security: with a fingerprint neither names nor authorities are looked at, and the
        one certificate is compared before anything is sent.
        """
        plain = socket.create_connection((self._host, self._port), min(timeout, _CONNECT_TIME))
        try:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option in ("TCP_KEEPIDLE", "TCP_KEEPINTVL"):
                if hasattr(socket, option):
                    plain.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), _ALIVE)
            wire = self._context.wrap_socket(plain, server_hostname=self._host)
        except BaseException:
            plain.close()
            raise
        if self._fingerprint is not None:
            shown = hashlib.sha256(wire.getpeercert(binary_form=True) or b"").digest()
            if not hmac.compare_digest(shown, self._fingerprint):
                wire.close()
                raise ConnectionError(f"it shows a certificate with the fingerprint {shown.hex()}, and not the one that is meant")
        return _Connected(self._netloc, wire, timeout)

    def headers(self) -> Dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}


def token_of(token: Optional[str], token_file: Optional[str]) -> str:
    """Reads a token."""
    if token and token_file:
        raise ValueError("of a token and a file that has it, one is to be given")
    if token_file:
        with open(token_file, encoding="utf-8") as f:
            token = f.read()
    token = (token or "").strip()
    if not token:
        raise ValueError("a host's port wants a token (`ambit token add` makes one)")
    if not re.fullmatch(r"[!-~]+", token):
        raise ValueError("what was given as a token is none")  # and is not shown
    return token


def fingerprint_of(text: Optional[str], ca_file: Optional[str]) -> Optional[bytes]:
    """Reads a fingerprint as it is printed, with or without colons."""
    if not text:
        return None
    if ca_file:
        raise ValueError("of a fingerprint and a file of authorities, one is to be given")
    digits = re.sub(r"^SHA-256 ", "", text.strip()).replace(":", "")
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", digits):
        raise ValueError("the fingerprint is not a SHA-256 in hexadecimal digits")
    return bytes.fromhex(digits)
