from django.db import migrations, models


class Migration(migrations.Migration):
    """A batch knows the host that has its archive; what was made before may be on any."""

    dependencies = [
        ("pipeline", "0010_study_of_patient"),
    ]

    operations = [
        migrations.CreateModel(
            name="Host",
            fields=[
                ("name", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("seen_at", models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name="batch",
            name="host",
            field=models.CharField(db_default="", default="", max_length=64),
        ),
    ]
