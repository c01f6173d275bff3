"""Indexes that another one contains, or that held what nobody looks for.

Dropped by hand where Django would copy the whole table on SQLite, which takes minutes.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0003_rollups"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="requestmetric", name="gateway_req_key_id_75d791_idx"),
        migrations.AddIndex(
            model_name="requestmetric",
            index=models.Index(
                fields=["key", "asked_at", "status"],
                condition=models.Q(("key__isnull", False)),
                name="requests_of_keys",
            ),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="requestmetric",
                    name="key",
                    field=models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="requests",
                        to="gateway.apikey",
                    ),
                ),
                migrations.AlterField(
                    model_name="rollup",
                    name="subject",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rollups",
                        to="gateway.rollupsubject",
                    ),
                ),
            ],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX gateway_requestmetric_key_id_49d70594",
                    "CREATE INDEX gateway_requestmetric_key_id_49d70594 "
                    "ON gateway_requestmetric (key_id)",
                ),
                migrations.RunSQL(
                    "DROP INDEX gateway_rollup_subject_id_44d3cd55",
                    "CREATE INDEX gateway_rollup_subject_id_44d3cd55 "
                    "ON gateway_rollup (subject_id)",
                ),
            ],
        ),
        # PostgreSQL has two of these for each, the second to find ids by how they begin.
        migrations.RunSQL(
            [
                "DROP INDEX IF EXISTS gateway_requestmetric_id_15a742a4_like",
                "DROP INDEX IF EXISTS gateway_routingrecord_request_id_2cab0c08_like",
                "DROP INDEX IF EXISTS gateway_requesttext_request_id_97ebb869_like",
            ],
            migrations.RunSQL.noop,
        ),
    ]
