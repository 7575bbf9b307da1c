"""One file per tool; ``registry.discover()`` finds them. Each module offers ``TOOL: ToolSpec``."""
