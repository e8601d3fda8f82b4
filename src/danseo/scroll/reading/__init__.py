"""From a volume to a page: the five stages, a picture of each, and the report."""
