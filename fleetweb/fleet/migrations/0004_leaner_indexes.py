"""Indexes that another one contains.

Dropped by hand, because Django would copy the whole table on SQLite, which takes minutes.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("fleet", "0003_happened"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="noderollup",
                    name="node",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rollups",
                        to="fleet.node",
                    ),
                ),
                migrations.AlterField(
                    model_name="nodesample",
                    name="node",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="samples",
                        to="fleet.node",
                    ),
                ),
                migrations.AlterField(
                    model_name="presencespan",
                    name="node",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="spans",
                        to="fleet.node",
                    ),
                ),
            ],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX fleet_noderollup_node_id_86f888ef",
                    "CREATE INDEX fleet_noderollup_node_id_86f888ef ON fleet_noderollup (node_id)",
                ),
                migrations.RunSQL(
                    "DROP INDEX fleet_nodesample_node_id_2eedeb02",
                    "CREATE INDEX fleet_nodesample_node_id_2eedeb02 ON fleet_nodesample (node_id)",
                ),
                migrations.RunSQL(
                    "DROP INDEX fleet_presencespan_node_id_636e4a13",
                    "CREATE INDEX fleet_presencespan_node_id_636e4a13 ON fleet_presencespan (node_id)",
                ),
            ],
        ),
    ]
