"""The only room that knows SUMO: networks, simulations and detectors."""
