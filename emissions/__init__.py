"""From tokens to energy and CO2e, with versioned factors and honest bounds."""
