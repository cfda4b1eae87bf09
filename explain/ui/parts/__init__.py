"""Parts of pages, each by what it shows."""
