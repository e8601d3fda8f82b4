"""Reading a charred scroll: a volume of X-ray CT in, text out."""
