from typing import Any

import django.db.models.deletion
from django.db import migrations, models

import sendit.ground.phi_field
import sendit.pipeline.record.models

STUDIES = """
INSERT INTO pipeline_study (project, item_suid, entity_suid, uid_digests, generation)
SELECT project, item_suid, MAX(entity_suid), '[]', 1
FROM pipeline_batch WHERE item_suid <> '' GROUP BY project, item_suid
"""
OF_STUDY = """
UPDATE pipeline_batch SET study_id = (
    SELECT study.id FROM pipeline_study AS study
    WHERE study.project = pipeline_batch.project AND study.item_suid = pipeline_batch.item_suid
) WHERE item_suid <> ''
"""
REPLACED = """
UPDATE pipeline_delivery SET state = 'REMOVED' WHERE state = 'DONE' AND id NOT IN (
    SELECT MAX(id) FROM pipeline_delivery WHERE state = 'DONE' GROUP BY object_name
)
"""
"""Of several deliveries under one name the last one counts: to deliver a study again, the earlier ones were removed by
hand."""


def column(model: str, field: str, of_database: str, of_model: "models.Field[Any, Any]") -> migrations.RunSQL:
    """A column that writes no row: on SQLite Django would copy the whole table."""
    return migrations.RunSQL(
        f"ALTER TABLE pipeline_{model} ADD COLUMN {field} {of_database}",
        f"ALTER TABLE pipeline_{model} DROP COLUMN {field}",
        state_operations=[migrations.AddField(model_name=model, name=field, field=of_model)],
    )


def part() -> "models.Field[int, int]":
    return models.PositiveSmallIntegerField(db_default=1, default=1)


class Migration(migrations.Migration):
    """Studies, whose batches are delivered in parts."""

    dependencies = [
        ("pipeline", "0008_delivery"),
    ]

    operations = [
        migrations.CreateModel(
            name="Study",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("project", models.CharField(max_length=64)),
                ("item_suid", models.CharField(max_length=128)),
                ("entity_suid", models.CharField(default="", max_length=128)),
                ("uid_digests", models.JSONField(default=list)),
                ("generation", models.PositiveSmallIntegerField(default=1)),
                ("held_by", models.BigIntegerField(null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("project", "item_suid"), name="study_of_project"),
                ],
            },
        ),
        migrations.AddField(
            model_name="batch",
            name="study",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="batches",
                to="pipeline.study",
            ),
        ),
        column("delivery", "generation", "smallint DEFAULT 1 NOT NULL", part()),
        column("image", "part", "smallint DEFAULT 1 NOT NULL", part()),
        *(
            migrations.AddField(model_name="image", name=name, field=models.BinaryField(null=True))
            for name in ("file_digest", "instance_digest", "content_digest")
        ),
        column(
            "batchidentifiers",
            "searched",
            "text NULL",
            sendit.ground.phi_field.PhiField(default=sendit.pipeline.record.models.nothing, null=True),  # type: ignore[misc]
        ),
        migrations.RemoveConstraint(model_name="delivery", name="delivery_of_part"),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["REMOVED"]), _negated=True),
                fields=("batch", "generation", "part", "destination"),
                name="delivery_of_part",
            ),
        ),
        migrations.RunSQL(STUDIES, migrations.RunSQL.noop),
        migrations.RunSQL(OF_STUDY, migrations.RunSQL.noop),
        migrations.RunSQL(REPLACED, migrations.RunSQL.noop),
    ]
