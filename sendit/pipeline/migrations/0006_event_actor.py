from django.db import migrations, models


class Migration(migrations.Migration):
    """A column with the database's own default. On SQLite Django would copy the whole table; this writes no row."""

    dependencies = [
        ("pipeline", "0005_batch_project"),
    ]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE pipeline_event ADD COLUMN actor varchar(150) DEFAULT '' NOT NULL",
            "ALTER TABLE pipeline_event DROP COLUMN actor",
            state_operations=[
                migrations.AddField(
                    model_name="event",
                    name="actor",
                    field=models.CharField(db_default="", max_length=150),
                ),
            ],
        ),
    ]
