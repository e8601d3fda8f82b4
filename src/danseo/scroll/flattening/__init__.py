"""What flattening is made of: the mesh, the map to the plane, places of islands, a regular grid."""
