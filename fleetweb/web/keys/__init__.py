"""API keys as a page has them: the forms that make and change them, and what is shown of each."""
