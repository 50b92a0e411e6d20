"""Model files: what they are, read without trusting them."""
