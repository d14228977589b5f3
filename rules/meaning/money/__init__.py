"""Money in binary floating point: which columns hold it, where they are reckoned with, and which sums go wrong by it."""
