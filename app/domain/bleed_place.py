"""Attribute of a bleeding mark on head CT: where it lies, a hint told from its shape and its gap to the skull."""

LIES = "lies"
SKULL = "skull"
"""Flat along the inner table, where epidural and subdural blood lies."""
BRAIN = "brain"
"""Elsewhere: the brain, its sulci, its ventricles."""
