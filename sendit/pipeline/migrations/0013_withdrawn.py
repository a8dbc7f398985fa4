from django.db import migrations, models

STATES = ["NEW", "QUEUE", "PROCESSING", "DONEPROCESSING", "UPLOADING", "DONE", "EMPTY", "ERROR", "WITHDRAWN"]
COUNTED = ["DONEPROCESSING", "UPLOADING", "DONE", "EMPTY", "ERROR", "WITHDRAWN"]


class Migration(migrations.Migration):
    """Studies may be withdrawn."""

    dependencies = [
        ("pipeline", "0012_kept_recipe"),
    ]

    operations = [
        migrations.AddField(model_name="study", name="withdrawn_at", field=models.DateTimeField(null=True)),
        migrations.RemoveConstraint(model_name="batch", name="batch_state"),
        migrations.RemoveConstraint(model_name="batch", name="batch_accounting"),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.CheckConstraint(condition=models.Q(("state__in", STATES)), name="batch_state"),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", COUNTED), _negated=True),
                    ("found", models.F("delivered") + models.F("filtered") + models.F("errored")),
                    _connector="OR",
                ),
                name="batch_accounting",
            ),
        ),
    ]
