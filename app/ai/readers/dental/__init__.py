"""Parts of the dental reader: the film as network input, boxes from its answer."""
