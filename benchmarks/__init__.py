"""One script for each published figure; peers run in the same run."""
