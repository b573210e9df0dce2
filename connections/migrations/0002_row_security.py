"""The second wall, and a connection's project is of its own organisation."""

from django.db import migrations

WALL = """
ALTER TABLE connections_providerconnection ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_organization ON connections_providerconnection
    USING (organization_id = nullif(current_setting('carbon.organization', true), '')::uuid);
CREATE POLICY every_organization ON connections_providerconnection
    USING (current_setting('carbon.every_organization', true) = 'on');

ALTER TABLE connections_providerconnection
    ADD CONSTRAINT connection_of_an_organization UNIQUE (organization_id, id),
    ADD CONSTRAINT connection_to_a_project_of_the_same_organization
        FOREIGN KEY (organization_id, project_id) REFERENCES projects_project (organization_id, id)
        DEFERRABLE INITIALLY DEFERRED;
"""

NO_WALL = """
ALTER TABLE connections_providerconnection
    DROP CONSTRAINT connection_to_a_project_of_the_same_organization, DROP CONSTRAINT connection_of_an_organization;
DROP POLICY every_organization ON connections_providerconnection;
DROP POLICY one_organization ON connections_providerconnection;
ALTER TABLE connections_providerconnection DISABLE ROW LEVEL SECURITY;
"""


class Migration(migrations.Migration):
    dependencies = [("connections", "0001_initial"), ("projects", "0002_row_security")]

    operations = [migrations.RunSQL(WALL, NO_WALL)]
