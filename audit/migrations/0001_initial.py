import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.manager
from django.db import migrations, models

import carbon_site.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("billing", "0002_row_security_and_final_figures"),
        ("projects", "0002_row_security"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditPack",
            fields=[
                (
                    "id",
                    carbon_site.ids.PrefixedIdField("aud", editable=False, primary_key=True, serialize=False),
                ),
                (
                    "ordered_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "sha256",
                    models.CharField(
                        editable=False, help_text="of the zip; null: not built yet", max_length=64, null=True
                    ),
                ),
                ("size", models.PositiveBigIntegerField(editable=False, help_text="bytes", null=True)),
                ("built_at", models.DateTimeField(editable=False, null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="projects.organization",
                    ),
                ),
                (
                    "period",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="packs",
                        to="billing.billingperiod",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "unscoped",
                "constraints": [
                    models.UniqueConstraint(fields=("period",), name="a_period_has_one_pack"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("built_at__isnull", True), ("sha256__isnull", True), ("size__isnull", True)
                            ),
                            models.Q(
                                ("built_at__isnull", False),
                                ("sha256__isnull", False),
                                ("size__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="a_pack_is_built_as_a_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("sha256__isnull", True), ("sha256__regex", "^[0-9a-f]{64}$"), _connector="OR"
                        ),
                        name="a_pack_has_a_hash",
                    ),
                ],
            },
            managers=[
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
    ]
