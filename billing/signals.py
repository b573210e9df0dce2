"""What billing tells its neighbours to the right."""

from carbon_site.events import Event

period_frozen = Event()
