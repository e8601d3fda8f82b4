"""From a volume to its sheet: axis, normals, pitch, a winding field, and the surface in it."""
