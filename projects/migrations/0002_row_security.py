"""The second wall: a connection sees the rows of the organisation that it was told of, and a workload its own project."""

from django.db import migrations

TABLES = ["membership", "project", "workload", "apikey", "entitlement", "job", "idempotentanswer"]

WALL = """
ALTER TABLE projects_{table} ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_organization ON projects_{table}
    USING (organization_id = nullif(current_setting('carbon.organization', true), '')::uuid);
CREATE POLICY every_organization ON projects_{table}
    USING (current_setting('carbon.every_organization', true) = 'on');
"""

NO_WALL = """
DROP POLICY every_organization ON projects_{table};
DROP POLICY one_organization ON projects_{table};
ALTER TABLE projects_{table} DISABLE ROW LEVEL SECURITY;
"""

# A foreign key is checked past the wall, so it must name the organisation itself.
SAME_ORGANIZATION = """
ALTER TABLE projects_project ADD CONSTRAINT project_of_an_organization UNIQUE (organization_id, id);
ALTER TABLE projects_workload ADD CONSTRAINT workload_of_the_same_organization
    FOREIGN KEY (organization_id, project_id) REFERENCES projects_project (organization_id, id) DEFERRABLE INITIALLY DEFERRED;
"""

ANY_ORGANIZATION = """
ALTER TABLE projects_workload DROP CONSTRAINT workload_of_the_same_organization;
ALTER TABLE projects_project DROP CONSTRAINT project_of_an_organization;
"""


class Migration(migrations.Migration):
    dependencies = [("projects", "0001_initial"), ("carbon_site", "0002_roles_and_append_only")]

    operations = [
        *[migrations.RunSQL(WALL.format(table=table), NO_WALL.format(table=table)) for table in TABLES],
        migrations.RunSQL(SAME_ORGANIZATION, ANY_ORGANIZATION),
    ]
