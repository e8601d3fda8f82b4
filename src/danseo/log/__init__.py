"""The public record: signatures, append, tiles, checkpoints, blobs, verify."""
