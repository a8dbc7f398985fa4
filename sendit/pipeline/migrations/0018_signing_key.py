from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def add_row(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """A row for the key that signs; it is filled in when the first process starts."""
    bindings = apps.get_model("pipeline", "KeyBinding").objects.using(schema_editor.connection.alias)
    bindings.get_or_create(file="signing.key")


def remove_row(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """The release before knows no such file."""
    apps.get_model("pipeline", "KeyBinding").objects.using(schema_editor.connection.alias).filter(
        file="signing.key"
    ).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("pipeline", "0017_projects"),
    ]

    operations = [
        migrations.RunPython(add_row, remove_row),
    ]
