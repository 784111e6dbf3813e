"""Heads that turn an encoder's patches or maps into more than a score: report decoders, mask decoders."""
