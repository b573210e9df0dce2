"""An operator's way to a first key: `manage.py issue_api_key --organization acme --create --role admin`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from carbon_site.ids import new_id
from carbon_site.problems import Problem
from projects import api_keys, organizations, tenancy
from projects.models import ApiKey, Organization, Role


class Command(BaseCommand):
    help = "Print a new API key, once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--organization", required=True, metavar="SLUG")
        parser.add_argument("--create", action="store_true", help="make the organisation if there is none")
        parser.add_argument("--role", choices=Role.values, default=Role.ADMIN)
        parser.add_argument("--scope", choices=ApiKey.Scope.values, default=ApiKey.Scope.WRITE)
        parser.add_argument("--name", default="issued by an operator")

    def handle(self, *, organization: str, create: bool, role: str, scope: str, name: str, **_: Any) -> None:
        try:
            if create:
                organizations.create_organization(slug=organization, name=organization)
        except Problem as problem:
            raise CommandError(problem.detail) from problem
        found = Organization.objects.filter(slug=organization).first()
        if found is None:
            raise CommandError(f"There is no organisation “{organization}”; --create makes it.")
        try:
            with tenancy.organization(found.pk):
                made = api_keys.create_api_key(
                    organization_id=found.pk,
                    key_id=new_id("key"),
                    name=name,
                    made_by="operator",
                    role=role,
                    scope=scope,
                    now=timezone.now(),
                )
        except Problem as problem:
            raise CommandError(problem.detail) from problem
        self.stdout.write(str(made.secret))
