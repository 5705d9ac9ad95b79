"""The test world: every outside service of the product, played on loopback over its real protocol."""
