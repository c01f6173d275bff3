"""What was, as the pages of the history show it."""

from .asking import Asked, By, Percentile, asked
from .book import Book, book
from .page import HistoryCard, history

__all__ = ["Asked", "Book", "By", "HistoryCard", "Percentile", "asked", "book", "history"]
