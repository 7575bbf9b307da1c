"""The dental page: the film large, the tooth chart under it, sizes for fingers."""
