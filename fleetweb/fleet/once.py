"""Logging a condition when it changes, not once for every beat it lasts."""

import logging


class Once:
    """Says a thing about a subject once, until something else holds of that subject."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._said: dict[str, str] = {}

    def is_news(self, subject: str, condition: str) -> bool:
        """Whether this is not what was said of the subject last."""
        news = self._said.get(subject) != condition
        self._said[subject] = condition
        return news

    def warn(self, subject: str, condition: str) -> None:
        if self.is_news(subject, condition):
            self._logger.warning("%s", condition)

    def well(self, subject: str, message: str) -> None:
        """The condition is over; `message` is logged if there was one."""
        if self._said.pop(subject, None) is not None:
            self._logger.info("%s", message)
