"""Method cards: what they hold, where they are, how they are read or made."""
