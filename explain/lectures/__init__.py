"""What the lectures print: their tables, and the arithmetic behind them."""
