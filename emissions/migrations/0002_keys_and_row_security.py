"""What is published is final, the heavy tables have their real keys, and the second wall stands."""

from django.db import migrations

HEAVY = {
    "carboncalculation": "calculation_by_id",
    "usagehour": "usage_hour_by_id",
    "usageday": "usage_day_by_id",
}

WALL = """
ALTER TABLE emissions_{table} ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_organization ON emissions_{table}
    USING (organization_id = nullif(current_setting('carbon.organization', true), '')::uuid);
"""
NO_WALL = """
DROP POLICY one_organization ON emissions_{table};
ALTER TABLE emissions_{table} DISABLE ROW LEVEL SECURITY;
"""
DOOR = """
CREATE POLICY every_organization ON emissions_monthfactors
    USING (current_setting('carbon.every_organization', true) = 'on');
"""
NO_DOOR = "DROP POLICY every_organization ON emissions_monthfactors;"

KEY = """
ALTER TABLE emissions_{table}
    DROP CONSTRAINT emissions_{table}_pkey,
    ADD PRIMARY KEY (organization_id, starts_at, id);
CREATE INDEX {index} ON emissions_{table} (id, organization_id);  -- why in this order: see telemetry
REVOKE DELETE ON emissions_{table} FROM carbon_app;
"""
NO_KEY = """
GRANT DELETE ON emissions_{table} TO carbon_app;
DROP INDEX {index};
ALTER TABLE emissions_{table}
    DROP CONSTRAINT emissions_{table}_pkey,
    ADD CONSTRAINT emissions_{table}_pkey PRIMARY KEY (id);
"""

FINAL = """
REVOKE UPDATE ON emissions_carboncalculation FROM carbon_app;
GRANT UPDATE (superseded_at) ON emissions_carboncalculation TO carbon_app;

CREATE TRIGGER published_factors_are_final
    BEFORE UPDATE OR DELETE ON emissions_carbonfactors FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER combinations_are_final
    BEFORE UPDATE OR DELETE ON emissions_factorcombination FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""
NOT_FINAL = """
DROP TRIGGER combinations_are_final ON emissions_factorcombination;
DROP TRIGGER published_factors_are_final ON emissions_carbonfactors;
GRANT UPDATE ON emissions_carboncalculation TO carbon_app;
"""


class Migration(migrations.Migration):
    dependencies = [("emissions", "0001_initial"), ("carbon_site", "0002_roles_and_append_only")]

    operations = [
        *[
            migrations.RunSQL(WALL.format(table=table), NO_WALL.format(table=table))
            for table in [*HEAVY, "monthfactors"]
        ],
        migrations.RunSQL(DOOR, NO_DOOR),
        *[
            migrations.RunSQL(KEY.format(table=table, index=index), NO_KEY.format(table=table, index=index))
            for table, index in HEAVY.items()
        ],
        migrations.RunSQL(FINAL, NOT_FINAL),
    ]
