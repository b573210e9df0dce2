"""What connections tells its neighbours to the right."""

from carbon_site.events import Event

connection_made = Event()
