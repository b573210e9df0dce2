import pytest
from django.core.management import CommandError, call_command

from projects import organizations
from projects.models import ApiKey, Organization
from tests import make


@pytest.mark.django_db
class TestIssueApiKey:
    def test_prints_a_key_that_opens_a_new_organization(self, capsys):
        call_command(
            "issue_api_key", "--organization", "acme", "--create", "--role", "auditor", "--scope", "read"
        )

        key = capsys.readouterr().out.strip()

        assert make.with_token(key).get("/api/v1/me").json()["role"] == "auditor"

    def test_takes_the_organization_that_is_there(self, acme, capsys):
        call_command("issue_api_key", "--organization", "acme", "--create")

        assert (Organization.objects.count(), ApiKey.objects.for_organization(acme.pk).count()) == (1, 1)

    def test_says_that_there_is_none(self, db):
        with pytest.raises(CommandError, match="There is no organisation “nobody”; --create makes it"):
            call_command("issue_api_key", "--organization", "nobody")

    def test_does_not_give_an_operator_what_strangers_brought(self, db):
        organizations.organization_of_directory(directory_id="org_clerk9", slug="bigcorp")

        with pytest.raises(CommandError, match="identity provider"):
            call_command("issue_api_key", "--organization", "bigcorp", "--create")

    def test_says_what_the_plan_allows(self, db):
        make.organization("small", api_keys=0)

        with pytest.raises(CommandError, match="allows 0 api keys"):
            call_command("issue_api_key", "--organization", "small")
