"""No networks of their own for the flow tests."""

ARCHITECTURES = {}
