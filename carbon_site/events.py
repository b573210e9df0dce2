"""How an app tells its neighbours to the right what has happened, without knowing them."""

from django.db.models import Model
from django.dispatch import Signal

from carbon_site.transactions import after_commit


class Event(Signal):
    """A fact told after commit, as an organisation's id and a row's. It may be lost: each listener's own sweep is the truth."""

    def announce(self, row: Model) -> None:
        facts = {"organization_id": row.organization_id, "pk": row.pk}  # type: ignore[attr-defined]  # an organisation's row
        after_commit(lambda: self.send_robust(type(row), **facts))
