"""Sessions, as Django keeps them in the database."""

from django.contrib.sessions.backends import db


class SessionStore(db.SessionStore):
    """One by the key of a cookie, which is anybody's to write.

    A cookie can hold a NUL, for which PostgreSQL can't even look: whoever has such a one is new.
    """

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(None if session_key and "\0" in session_key else session_key)
