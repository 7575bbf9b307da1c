"""Pixels and geometry to pictures: numpy, OpenCV and VTK; no Qt, no AI."""
