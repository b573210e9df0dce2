"""Every route there is, asked by a stranger, by nobody, and by the schema's own word."""

import re

import pytest
from django.urls import URLPattern, get_resolver

from carbon_site.api import OrganizationViewSet
from receipts.credits import load_batches
from receipts.models import CarbonReceipt
from tests import make
from tests.audit.examples import packed
from tests.receipts.test_credits import retired
from tests.receipts.test_hand_out import handed_out
from tests.receipts.test_settle import frozen, settled

METHODS = ("get", "post", "put", "patch", "delete")
PK = re.compile(r"\(\?P<pk>[^)]*\)|<str:pk>")
PUBLIC = {"emissions/estimate", "factors", r"factors/(?P<version>[\w.-]+)", "models"}  # what anyone may call


def routes():
    """Each route under /api/v1, as a template with `{pk}`, and its view."""
    (v1,) = [pattern for pattern in get_resolver().url_patterns if str(pattern.pattern) == "api/v1/"]
    found = {}
    for included in v1.url_patterns:
        for route in included.url_patterns:
            assert isinstance(route, URLPattern)
            path = PK.sub("{pk}", str(route.pattern)).strip("^$").replace("\\Z", "")
            found[path] = getattr(route.callback, "cls", None)
    return found


def make_receipt(organization) -> CarbonReceipt:
    load_batches([retired(1, 1)])
    return handed_out(settled(frozen(organization)))


@pytest.mark.django_db
class TestEveryRoute:
    def test_belongs_to_an_organization_or_is_public(self):
        assert {
            path for path, view in routes().items() if not issubclass(view, OrganizationViewSet)
        } == PUBLIC

    def test_hides_the_rows_of_others(self, acme):
        rival, owner = make.client(make.organization("rival")), make.client(acme)
        project, receipt = make.project(acme), make_receipt(acme)
        ids = {
            "projects": project.pk,
            "workloads": make.workload(project).pk,
            "api-keys": make.api_key(acme).row.pk,
            "jobs": make.job(acme).pk,
            "connections": make.connection(project).pk,
            "billing": make.period(acme).pk,
            "receipts": receipt.pk,
            "audit-packs": packed(receipt.period).pk,
        }
        with_an_id = [path for path in routes() if "{pk}" in path]

        for path in with_an_id:
            address = f"/api/v1/{path.replace('{pk}', ids[path.split('/')[0]])}"
            codes = {getattr(rival, method)(address, {}, format="json").status_code for method in METHODS}

            assert codes <= {404, 405}, (path, codes)
            assert 404 in codes, path
            answer = owner.get(address)
            assert answer.status_code in (200, 405), path
            list(answer)  # a download holds its file open until it is read

    @pytest.mark.parametrize("path", [path for path in routes() if path not in PUBLIC])
    def test_asks_for_a_credential(self, client, path):
        address = f"/api/v1/{path.replace('{pk}', 'prj_01h455vb4pex5vsknk084sn02q')}"

        codes = {getattr(client, method)(address).status_code for method in METHODS}

        assert codes == {401}
