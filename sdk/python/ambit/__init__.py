"""A client of the API of an Ambit host, of the standard library alone.

Run programs in sandboxes, answer what they ask, review and revoke what was granted:

    import sys, ambit

    client = ambit.dial()
    session = client.start(ambit.Command(argv=["python3", "-c", "print(6*7)"]))
    print("exit", session.wait(sys.stdout.buffer))

The messages are in ambit.v1. It decides nothing: whoever talks to a host can do what
`ambit` at a terminal can, within the role of a token.
"""

from . import v1
from .call import Stream
from .client import Client, Command, Session, Waiting, dial, dial_env, dial_port
from .failure import Failure

__all__ = ["Client", "Command", "Failure", "Session", "Stream", "Waiting", "dial", "dial_env", "dial_port", "v1"]
