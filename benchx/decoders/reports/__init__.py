"""Report decoders: text cleaning, vocabulary, the two networks, their loss and beam search."""
