"""A websocket without a server, before the application in this process."""

from asgiref.testing import ApplicationCommunicator
from channels.testing import WebsocketCommunicator


class Socket(WebsocketCommunicator):
    """Channels' own, but that the application may give its database connections back.

    Whenever a test of Channels' sends or waits, nothing in the whole process closes a connection:
    its threads end with theirs, and a pool that waits for them has none left after a few tests.
    """

    send_input = ApplicationCommunicator.send_input
    receive_output = ApplicationCommunicator.receive_output
