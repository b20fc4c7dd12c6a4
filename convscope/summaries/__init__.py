"""The lecture's table of any network: layer, filters, size, stride, padding, map, parameters."""
