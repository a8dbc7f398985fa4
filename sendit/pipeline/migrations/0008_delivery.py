import django.db.models.deletion
from django.db import migrations, models

CARRY_OVER = """
INSERT INTO pipeline_delivery (
    batch_id, part, destination, state, attempts, object_name, images, size_bytes, crc32c, made_at, uri,
    delivered_at
)
SELECT
    id, 1, 'store',
    CASE state WHEN 'DONE' THEN 'DONE' WHEN 'ERROR' THEN 'ERROR' WHEN 'EMPTY' THEN 'ERROR' ELSE 'WAITING' END,
    CASE WHEN state IN ('DONE', 'DONEPROCESSING') THEN 0 ELSE 1 END,
    object_name, delivered, archive_bytes, archive_crc32c, archive_made_at,
    CASE state WHEN 'DONE' THEN storage_uri ELSE '' END,
    CASE state WHEN 'DONE' THEN delivered_at ELSE NULL END
FROM pipeline_batch WHERE object_name <> '' ORDER BY id
"""
"""Whether an earlier attempt has left something at the destination is not known of these batches: an attempt is assumed
where a batch is not just waiting."""

CARRY_BACK = """
UPDATE pipeline_batch SET
    object_name = delivery.object_name, archive_crc32c = delivery.crc32c, archive_made_at = delivery.made_at,
    storage_uri = delivery.uri
FROM pipeline_delivery AS delivery WHERE delivery.batch_id = pipeline_batch.id AND delivery.part = 1
"""


class Migration(migrations.Migration):
    """What a batch had of its one archive becomes its first delivery."""

    dependencies = [
        ("pipeline", "0007_batch_of_study"),
    ]

    operations = [
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("part", models.PositiveSmallIntegerField(default=1)),
                ("destination", models.CharField(max_length=64)),
                ("state", models.CharField(default="WAITING", max_length=16)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("object_name", models.CharField(max_length=1024)),
                ("images", models.PositiveIntegerField(default=0)),
                ("size_bytes", models.BigIntegerField()),
                ("crc32c", models.CharField(max_length=16)),
                ("made_at", models.DateTimeField(null=True)),
                ("uri", models.CharField(default="", max_length=2048)),
                ("delivered_at", models.DateTimeField(null=True)),
                (
                    "batch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deliveries",
                        to="pipeline.batch",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["batch"], name="delivery_of_batch")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["REMOVED"]), _negated=True),
                        fields=("batch", "part", "destination"),
                        name="delivery_of_part",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["WAITING", "DONE", "ERROR", "REMOVED"])),
                        name="delivery_state",
                    ),
                ],
            },
        ),
        migrations.RunSQL(CARRY_OVER, CARRY_BACK),
        migrations.RemoveField(model_name="batch", name="archive_crc32c"),
        migrations.RemoveField(model_name="batch", name="archive_made_at"),
        migrations.RemoveField(model_name="batch", name="object_name"),
        migrations.RemoveField(model_name="batch", name="storage_uri"),
    ]
