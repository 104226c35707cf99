from django.db import DEFAULT_DB_ALIAS, migrations


def seal(apps, schema_editor):
    """Of simplejwt's own table. No dependency on its app: it may be installed later, or never."""
    from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

    from accounts import blacklist

    connection = schema_editor.connection
    if connection.alias != DEFAULT_DB_ALIAS or not blacklist.installed():
        return
    if OutstandingToken._meta.db_table in connection.introspection.table_names():
        blacklist.seal_plain()


class Migration(migrations.Migration):

    dependencies = [('accounts', '0001_initial')]

    operations = [migrations.RunPython(seal, migrations.RunPython.noop)]
