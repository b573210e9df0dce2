"""The ledger's real key, what the app may do to it, and the second wall.

A heavy table has one policy, so that no sweep can read it across organisations.
"""

from django.db import migrations

LIGHT = ["ledger", "rawpage", "pollcursor", "pollrun", "sealedmonth"]

WALL = """
ALTER TABLE telemetry_{table} ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_organization ON telemetry_{table}
    USING (organization_id = nullif(current_setting('carbon.organization', true), '')::uuid);
"""
DOOR = """
CREATE POLICY every_organization ON telemetry_{table}
    USING (current_setting('carbon.every_organization', true) = 'on');
"""
NO_DOOR = "DROP POLICY every_organization ON telemetry_{table};"
NO_WALL = """
DROP POLICY one_organization ON telemetry_{table};
ALTER TABLE telemetry_{table} DISABLE ROW LEVEL SECURITY;
"""

KEY = """
ALTER TABLE telemetry_telemetryevent
    DROP CONSTRAINT telemetry_telemetryevent_pkey,
    ADD PRIMARY KEY (organization_id, starts_at, id);
CREATE INDEX event_by_id ON telemetry_telemetryevent (id, organization_id);  -- in this order, as an index that begins with the
-- organisation looks as good as the key to a planner without statistics, and reads all rows of it each time
CREATE INDEX event_by_time_of_observation ON telemetry_telemetryevent (organization_id, observed_at);

REVOKE UPDATE, DELETE ON telemetry_telemetryevent FROM carbon_app;
GRANT UPDATE (superseded_at) ON telemetry_telemetryevent TO carbon_app;
REVOKE UPDATE, DELETE ON telemetry_sealedmonth, telemetry_rawpage FROM carbon_app;
"""
NO_KEY = """
GRANT UPDATE, DELETE ON telemetry_sealedmonth, telemetry_rawpage, telemetry_telemetryevent TO carbon_app;

DROP INDEX event_by_id, event_by_time_of_observation;
ALTER TABLE telemetry_telemetryevent
    DROP CONSTRAINT telemetry_telemetryevent_pkey,
    ADD CONSTRAINT telemetry_telemetryevent_pkey PRIMARY KEY (id);
"""


# A foreign key is checked past the wall, so it must name the organisation itself.
SAME_ORGANIZATION = """
ALTER TABLE telemetry_{table} ADD CONSTRAINT {table}_of_the_same_organization
    FOREIGN KEY (organization_id, connection_id) REFERENCES connections_providerconnection (organization_id, id)
    DEFERRABLE INITIALLY DEFERRED;
"""
ANY_ORGANIZATION = "ALTER TABLE telemetry_{table} DROP CONSTRAINT {table}_of_the_same_organization;"


class Migration(migrations.Migration):
    dependencies = [
        ("telemetry", "0001_initial"),
        ("carbon_site", "0002_roles_and_append_only"),
        ("connections", "0002_row_security"),
    ]

    operations = [
        *[
            migrations.RunSQL(WALL.format(table=table), NO_WALL.format(table=table))
            for table in [*LIGHT, "telemetryevent"]
        ],
        *[migrations.RunSQL(DOOR.format(table=table), NO_DOOR.format(table=table)) for table in LIGHT],
        *[
            migrations.RunSQL(SAME_ORGANIZATION.format(table=table), ANY_ORGANIZATION.format(table=table))
            for table in ["rawpage", "pollcursor", "pollrun"]
        ],
        migrations.RunSQL(KEY, NO_KEY),
    ]
