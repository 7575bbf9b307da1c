"""What the film readers share: scored places, marks, calibrated maps."""
