"""See __getattr__ below; filled later."""
