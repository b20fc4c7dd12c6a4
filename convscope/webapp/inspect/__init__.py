"""What the page shows of an opened network: its graph, maps and units, computed."""
