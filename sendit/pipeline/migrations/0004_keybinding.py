from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

FILES = ("pseudonym.key", "identifiers.key", "digest.key")


def add_rows(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """A row for each key file: a table without them was emptied."""
    bindings = apps.get_model("pipeline", "KeyBinding").objects.using(schema_editor.connection.alias)
    for file in FILES:
        bindings.create(file=file)


class Migration(migrations.Migration):
    dependencies = [
        ("pipeline", "0003_batches_counted"),
    ]

    operations = [
        migrations.CreateModel(
            name="KeyBinding",
            fields=[
                ("file", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("proofs", models.TextField(default="")),
                ("bound_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.RunPython(add_rows, migrations.RunPython.noop),
    ]
