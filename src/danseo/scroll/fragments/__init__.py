"""*Read the ink*: two fragments of charred papyrus, a stand-in, and first clues."""
